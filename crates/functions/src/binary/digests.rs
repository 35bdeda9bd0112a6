//! Digests of bytes, with and without a key.

use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, Int64Builder, StringBuilder};
use arrow::datatypes::DataType;
use datafusion::error::Result;
use hmac::{Hmac, Mac};
use lakegate_error::Error;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};
use twox_hash::XxHash64;

use super::{SECTION, each, spooky};
use crate::docs::Page;
use crate::entry::Entry;
use crate::kernel::{Call, Kernel, Returns};
use crate::text::arguments::{Bytes, bytes, invalid, takes, text};

static MD5: Page = Page {
    name: "md5",
    section: SECTION,
    syntax: "md5(varbinary)",
    sentence: "Returns the MD5 digest of a varbinary; of a text, its hexadecimal digits.",
    example: "to_hex(md5(to_utf8('abc')))",
    result: "900150983CD24FB0D6963F7D28E17F72",
};

static SHA1: Page = Page {
    name: "sha1",
    section: SECTION,
    syntax: "sha1(varbinary)",
    sentence: "Returns the SHA-1 digest of a varbinary.",
    example: "to_hex(sha1(to_utf8('abc')))",
    result: "A9993E364706816ABA3E25717850C26C9CD0D89D",
};

static XXHASH64: Page = Page {
    name: "xxhash64",
    section: SECTION,
    syntax: "xxhash64(varbinary)",
    sentence: "Returns the XXH64 hash of a varbinary.",
    example: "to_hex(xxhash64(to_utf8('hashme')))",
    result: "F9D96E0E1165E892",
};

static MURMUR3: Page = Page {
    name: "murmur3",
    section: SECTION,
    syntax: "murmur3(varbinary)",
    sentence: "Returns the MurmurHash3 hash of a varbinary, of 128 bits.",
    example: "to_hex(murmur3(to_utf8('hashme')))",
    result: "93192FE805BE23041C8318F67EC4F2BC",
};

static SPOOKY_32: Page = Page {
    name: "spooky_hash_v2_32",
    section: SECTION,
    syntax: "spooky_hash_v2_32(varbinary)",
    sentence: "Returns the first 32 bits of the SpookyHash V2 of a varbinary.",
    example: "to_hex(spooky_hash_v2_32(to_utf8('hello')))",
    result: "D382E6CA",
};

static SPOOKY_64: Page = Page {
    name: "spooky_hash_v2_64",
    section: SECTION,
    syntax: "spooky_hash_v2_64(varbinary)",
    sentence: "Returns the first 64 bits of the SpookyHash V2 of a varbinary.",
    example: "to_hex(spooky_hash_v2_64(to_utf8('hello')))",
    result: "3768826AD382E6CA",
};

static CRC32: Page = Page {
    name: "crc32",
    section: SECTION,
    syntax: "crc32(varbinary)",
    sentence: "Returns the CRC-32 checksum of a varbinary.",
    example: "crc32(to_utf8('hello'))",
    result: "907060870",
};

static HMAC_MD5: Page = Page {
    name: "hmac_md5",
    section: SECTION,
    syntax: "hmac_md5(varbinary, key)",
    sentence: "Returns the HMAC of a varbinary with MD5.",
    example: "to_hex(hmac_md5(to_utf8('hashme'), to_utf8('key')))",
    result: "0A26EBEB0E7B65F528D96F7BC631BC8F",
};

static HMAC_SHA1: Page = Page {
    name: "hmac_sha1",
    section: SECTION,
    syntax: "hmac_sha1(varbinary, key)",
    sentence: "Returns the HMAC of a varbinary with SHA-1.",
    example: "to_hex(hmac_sha1(to_utf8('hashme'), to_utf8('key')))",
    result: "2E7C4C6AEFA7E69F106EEE3CE21944D0046D2F3D",
};

static HMAC_SHA256: Page = Page {
    name: "hmac_sha256",
    section: SECTION,
    syntax: "hmac_sha256(varbinary, key)",
    sentence: "Returns the HMAC of a varbinary with SHA-256.",
    example: "to_hex(hmac_sha256(to_utf8('hashme'), to_utf8('key')))",
    result: "D3D72F9FACDE059DA3A4EB43A9ABDD4B35118E0FEF00E6D16FB04BB332AF0484",
};

static HMAC_SHA512: Page = Page {
    name: "hmac_sha512",
    section: SECTION,
    syntax: "hmac_sha512(varbinary, key)",
    sentence: "Returns the HMAC of a varbinary with SHA-512.",
    example: "length(hmac_sha512(to_utf8('hashme'), to_utf8('key')))",
    result: "64",
};

pub(super) fn entries() -> Vec<Entry> {
    let of_bytes = || vec![takes([bytes()])];
    let keyed = || vec![takes([bytes(), bytes()])];
    let binary = || Returns::Type(DataType::Binary);
    let everywhere = [
        Kernel::new(&SHA1, of_bytes(), binary(), |call| {
            each(
                call,
                |_| 20,
                |value, out| {
                    out.extend_from_slice(&Sha1::digest(value));
                    Ok(())
                },
            )
        }),
        Kernel::new(&SPOOKY_32, of_bytes(), binary(), |call| {
            each(
                call,
                |_| 4,
                |value, out| {
                    out.extend_from_slice(&(spooky::hash(value) as u32).to_be_bytes());
                    Ok(())
                },
            )
        }),
        Kernel::new(&SPOOKY_64, of_bytes(), binary(), |call| {
            each(
                call,
                |_| 8,
                |value, out| {
                    out.extend_from_slice(&spooky::hash(value).to_be_bytes());
                    Ok(())
                },
            )
        }),
        Kernel::new(&XXHASH64, of_bytes(), binary(), |call| {
            each(
                call,
                |_| 8,
                |value, out| {
                    out.extend_from_slice(&XxHash64::oneshot(0, value).to_be_bytes());
                    Ok(())
                },
            )
        }),
        Kernel::new(&MURMUR3, of_bytes(), binary(), |call| {
            each(call, |_| 16, murmur3)
        }),
        Kernel::new(&CRC32, of_bytes(), Returns::Type(DataType::Int64), crc32),
        Kernel::new(&HMAC_MD5, keyed(), binary(), |call| {
            macs(call, 16, Hmac::<Md5>::new_from_slice)
        }),
        Kernel::new(&HMAC_SHA1, keyed(), binary(), |call| {
            macs(call, 20, Hmac::<Sha1>::new_from_slice)
        }),
        Kernel::new(&HMAC_SHA256, keyed(), binary(), |call| {
            macs(call, 32, Hmac::<Sha256>::new_from_slice)
        }),
        Kernel::new(&HMAC_SHA512, keyed(), binary(), |call| {
            macs(call, 64, Hmac::<Sha512>::new_from_slice)
        }),
    ];
    let mut all: Vec<Entry> = everywhere.into_iter().map(Entry::scalar).collect();
    // PostgreSQL's returns digits for bytes too.
    let md5 = Kernel::new(
        &MD5,
        vec![takes([text()]), takes([bytes()])],
        Returns::From(|types| {
            Ok(match types {
                [DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View] => DataType::Utf8,
                _ => DataType::Binary,
            })
        }),
        md5,
    );
    all.push(Entry::scalar(md5).in_trino());
    all
}

fn md5(call: &Call<'_>) -> Result<ArrayRef> {
    if call.returns == &DataType::Binary {
        return each(
            call,
            |_| 16,
            |value, out| {
                out.extend_from_slice(&Md5::digest(value));
                Ok(())
            },
        );
    }
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let values = Bytes::of(call, 0)?;
    let mut digests = StringBuilder::new();
    let mut digits = String::new();
    for row in 0..call.rows {
        call.work.builds(32)?;
        digests.append_option(values.get(row).map(|value| {
            digits.clear();
            for byte in Md5::digest(value) {
                digits.extend(DIGITS.get(usize::from(byte >> 4)));
                digits.extend(DIGITS.get(usize::from(byte & 0xf)));
            }
            digits.as_str()
        }));
    }
    Ok(Arc::new(digests.finish()))
}

fn murmur3(mut value: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let hash = murmur3::murmur3_x64_128(&mut value, 0);
    let hash = hash.map_err(|error| Error::internal(format!("murmur3: {error}")))?;
    // The first half first, each from its lowest byte.
    out.extend_from_slice(&hash.to_le_bytes());
    Ok(())
}

fn crc32(call: &Call<'_>) -> Result<ArrayRef> {
    let values = Bytes::of(call, 0)?;
    let mut sums = Int64Builder::with_capacity(call.rows);
    for row in 0..call.rows {
        call.work.builds(8)?;
        let sum = values.get(row).map(crc32fast::hash);
        sums.append_option(sum.map(i64::from));
    }
    Ok(Arc::new(sums.finish()))
}

fn macs<M: Mac + Clone, E>(
    call: &Call<'_>,
    length: usize,
    keyed: fn(&[u8]) -> Result<M, E>,
) -> Result<ArrayRef> {
    let (values, keys) = (Bytes::of(call, 0)?, Bytes::of(call, 1)?);
    let mut made = BinaryBuilder::new();
    let mut last: Option<(&[u8], M)> = None;
    for row in 0..call.rows {
        call.work.builds(length)?;
        let Some((value, key)) = values.get(row).zip(keys.get(row)) else {
            made.append_null();
            continue;
        };
        if key.is_empty() {
            return Err(invalid(format!("the key of {} is empty", call.name)));
        }
        let mac = match &last {
            Some((known, mac)) if *known == key => mac,
            _ => {
                let mac = keyed(key).map_err(|_| Error::internal("a key has a wrong length"))?;
                &last.insert((key, mac)).1
            }
        };
        let mut mac = mac.clone();
        mac.update(value);
        made.append_value(mac.finalize().into_bytes());
    }
    Ok(Arc::new(made.finish()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use crate::testing::{error, rows, value};

    #[tokio::test]
    async fn digests_are_those_of_their_definitions() {
        for (call, expected) in [
            ("md5(to_utf8(''))", "D41D8CD98F00B204E9800998ECF8427E"),
            (
                "sha1(to_utf8(''))",
                "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
            ),
            ("xxhash64(to_utf8(''))", "EF46DB3751D8E999"),
            ("murmur3(to_utf8(''))", "00000000000000000000000000000000"),
            (
                "sha256(to_utf8('abc'))",
                "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD",
            ),
        ] {
            assert_eq!(value(&format!("to_hex({call})")).await.unwrap(), expected);
        }
        let text = "md5('abc')";
        assert_eq!(
            value(text).await.unwrap(),
            "900150983cd24fb0d6963f7d28e17f72"
        );
        assert_eq!(value("crc32(to_utf8(''))").await.unwrap(), "0");
        let query = "SELECT to_hex(xxhash64(to_utf8(x))) FROM (VALUES ('hashme'), (NULL)) t(x)";
        assert_eq!(rows(query).await.unwrap(), ["F9D96E0E1165E892", "NULL"]);
        let query = "SELECT md5(x) FROM (VALUES (''), (NULL)) t(x)";
        let expected = ["d41d8cd98f00b204e9800998ecf8427e", "NULL"];
        assert_eq!(rows(query).await.unwrap(), expected);
        assert!(error("sha1('text')").await.contains("sha1"));
    }

    // The test cases of RFC 2202 and RFC 4231.
    #[tokio::test]
    async fn keyed_digests_are_those_of_their_definitions() {
        let what = "to_utf8('what do ya want for nothing?'), to_utf8('Jefe')";
        for (name, expected) in [
            ("hmac_md5", "750C783E6AB0B503EAA86E310A5DB738"),
            ("hmac_sha1", "EFFCDF6AE5EB2FA2D27416D5F184DF9C259A7C79"),
            (
                "hmac_sha256",
                "5BDCC146BF60754E6A042426089575C75A003F089D2739839DEC58B964EC3843",
            ),
            (
                "hmac_sha512",
                "164B7A7BFCF819E2E395FBE73B56E0A387BD64222E831FD610270CD7EA2505549758BF75C05A994A6D034F65F8F0E6FDCAEAB1A34D4A6B4B636E070A38BCE737",
            ),
        ] {
            let digest = value(&format!("to_hex({name}({what}))")).await.unwrap();
            assert_eq!(digest, expected, "{name}");
        }
        assert!(
            error("hmac_sha256(to_utf8('a'), to_utf8(''))")
                .await
                .contains("the key of hmac_sha256 is empty")
        );
        let query = "SELECT to_hex(hmac_md5(to_utf8(x), to_utf8(k))) FROM (VALUES ('a', NULL), (NULL, 'k')) t(x, k)";
        assert_eq!(rows(query).await.unwrap(), ["NULL", "NULL"]);
    }
}
