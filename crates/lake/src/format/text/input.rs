//! The bytes of one file, or of one byte range of it, decompressed.
//!
//! The compression is recognised by the first bytes of the file, whatever its name says; Hadoop's
//! framings of snappy and lz4, and zlib's, by the extension of the name. A compressed file cannot be split: the range that starts at its first byte reads all of it, and
//! the others read nothing.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use async_compression::tokio::bufread::{BzDecoder, GzipDecoder, ZlibDecoder, ZstdDecoder};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, GetResult, ObjectStore};
use tokio_util::io::{ReaderStream, StreamReader};

use super::blocks::{self, Framing, LZ4_MAGIC};

/// Bytes at the start of a file that identify its compression.
const HEAD: u64 = 10;

/// Decompressed pieces are of this many bytes.
const PIECE: usize = 128 * 1024;

/// A range's last line usually ends within this many bytes behind the range.
const LOOKAHEAD: u64 = 16 * 1024;

/// Where it does not, requests grow to this many bytes.
const MAX_LOOKAHEAD: u64 = 1024 * 1024;

/// What was opened.
pub(in crate::format) struct Input {
    pub pieces: BoxStream<'static, io::Result<Bytes>>,
    pub compression: Compression,
    /// The bytes of the file whose lines are wanted; the pieces start one byte earlier unless that
    /// is the first. None: all.
    pub range: Option<Range<u64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::format) enum Compression {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    /// zlib's format, which Hadoop calls deflate.
    Zlib,
    Blocks(Framing),
    /// Recognised, but not read.
    Other(&'static str),
}

impl Compression {
    fn of(head: &[u8], path: &Path) -> Self {
        match head {
            [0x1f, 0x8b, 8, ..] => return Compression::Gzip,
            [first, 0x2a, 0x4d, 0x18, ..]
                if (0x50..=0x5f).contains(first) && extension(path) == "lz4" =>
            {
                return Compression::Blocks(Framing::Lz4);
            }
            // A frame, or a frame to skip.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                return Compression::Zstd;
            }
            // Then the digits of pi start a block, those of its root end the file.
            [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x31,
                0x41,
                0x59,
                0x26,
                0x53,
                0x59,
            ]
            | [
                b'B',
                b'Z',
                b'h',
                b'1'..=b'9',
                0x17,
                0x72,
                0x45,
                0x38,
                0x50,
                0x90,
            ] => return Compression::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => return Compression::Other("xz"),
            head if head.starts_with(&LZ4_MAGIC) => return Compression::Blocks(Framing::Lz4),
            [0x02, 0x21, 0x4c, 0x18, ..] => {
                return Compression::Other("lz4 in its legacy framing");
            }
            [0xff, 0x06, 0, 0, b's', b'N', b'a', b'P', b'p', b'Y'] => {
                return Compression::Blocks(Framing::Snappy);
            }
            [0x89, b'L', b'Z', b'O', 0, ..] => return Compression::Other("lzo"),
            [b'P', b'K', 3, 4, ..] => return Compression::Other("zip"),
            _ => {}
        }
        // Hadoop's own framings have no mark.
        match extension(path).as_str() {
            "snappy" => Compression::Blocks(Framing::HadoopSnappy),
            "lz4" => Compression::Blocks(Framing::HadoopLz4),
            "deflate" => Compression::Zlib,
            "lzo" => Compression::Other("lzo"),
            "lzo_deflate" => Compression::Other("lzo"),
            _ => Compression::Plain,
        }
    }

    /// As errors name it.
    pub(in crate::format) fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain text",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Zlib => "zlib (deflate)",
            Self::Blocks(Framing::Snappy) => "snappy in its own framing",
            Self::Blocks(Framing::Lz4) => "lz4 in its own framing",
            Self::Blocks(Framing::HadoopSnappy) => "snappy in Hadoop's framing",
            Self::Blocks(Framing::HadoopLz4) => "lz4 in Hadoop's framing",
            Self::Other(name) => name,
        }
    }
}

fn extension(path: &Path) -> String {
    path.extension()
        .map(str::to_ascii_lowercase)
        .unwrap_or_default()
}

/// Whether a file's name says that it cannot be cut into byte ranges.
pub(super) fn looks_compressed(path: &Path) -> bool {
    matches!(
        extension(path).as_str(),
        "gz" | "gzip"
            | "zst"
            | "zstd"
            | "bz2"
            | "bzip2"
            | "snappy"
            | "lz4"
            | "lzo"
            | "lzo_deflate"
            | "deflate"
            | "xz"
            | "zip"
    )
}

/// A file as the plan has it.
#[derive(Debug, Clone)]
pub(in crate::format) struct PlannedFile {
    pub store: Arc<dyn ObjectStore>,
    pub path: Path,
    /// Bytes of the whole file.
    pub size: u64,
    /// Reads fail once the file has another. `None`: the store has no ETags.
    pub e_tag: Option<String>,
}

impl PlannedFile {
    /// Reads the file, or a range of it, in the state that the plan has.
    async fn get(&self, range: Option<Range<u64>>) -> object_store::Result<GetResult> {
        let options = GetOptions {
            if_match: self.e_tag.clone(),
            range: range.map(GetRange::Bounded),
            ..GetOptions::default()
        };
        self.store.get_opts(&self.path, options).await
    }
}

/// Opens a file for the lines that start in `range`; `None`: for all.
///
/// # Errors
/// The store; the file is not as the plan has it any more.
pub(in crate::format) async fn open(
    file: PlannedFile,
    range: Option<Range<u64>>,
) -> object_store::Result<Input> {
    let size = file.size;
    let Some(range) = range.filter(|range| range.start > 0 || range.end < size) else {
        return open_whole(&file).await;
    };
    let nothing = futures::stream::empty().boxed();
    if range.start >= range.end.min(size) {
        return Ok(Input {
            pieces: nothing,
            compression: Compression::Plain,
            range: Some(range),
        });
    }
    let head = file.get(Some(0..HEAD.min(size))).await?.bytes().await?;
    let compression = Compression::of(&head, &file.path);
    match compression {
        Compression::Plain => {
            let next = range.start.saturating_sub(1);
            let first_end = range.end.saturating_add(LOOKAHEAD);
            let ranged = Ranged {
                file,
                next,
                end: first_end,
                ahead: LOOKAHEAD,
                current: None,
            };
            let pieces = futures::stream::try_unfold(ranged, Ranged::step)
                .map(|piece| piece.map_err(Into::into))
                .boxed();
            Ok(Input {
                pieces,
                compression,
                range: Some(range),
            })
        }
        _ if range.start > 0 => Ok(Input {
            pieces: nothing,
            compression,
            range: Some(range),
        }),
        _ => open_whole(&file).await,
    }
}

async fn open_whole(file: &PlannedFile) -> object_store::Result<Input> {
    let mut stream = file.get(None).await?.into_stream();
    let mut head = Vec::new();
    let mut first = Vec::new();
    while (head.len() as u64) < HEAD {
        let Some(piece) = stream.next().await.transpose()? else {
            break;
        };
        let missing = usize::try_from(HEAD).unwrap_or(usize::MAX) - head.len();
        head.extend(piece.iter().take(missing));
        first.push(Ok(piece));
    }
    let compression = Compression::of(&head, &file.path);
    let stream = futures::stream::iter(first).chain(stream);
    let pieces = match compression {
        Compression::Gzip => {
            let mut decoder = GzipDecoder::new(StreamReader::new(stream));
            decoder.multiple_members(true);
            ReaderStream::with_capacity(decoder, PIECE).boxed()
        }
        Compression::Zstd => {
            let mut decoder = ZstdDecoder::new(StreamReader::new(stream));
            decoder.multiple_members(true);
            ReaderStream::with_capacity(decoder, PIECE).boxed()
        }
        Compression::Bzip2 => {
            let mut decoder = BzDecoder::new(StreamReader::new(stream));
            decoder.multiple_members(true);
            ReaderStream::with_capacity(decoder, PIECE).boxed()
        }
        Compression::Zlib => {
            let mut decoder = ZlibDecoder::new(StreamReader::new(stream));
            decoder.multiple_members(true);
            ReaderStream::with_capacity(decoder, PIECE).boxed()
        }
        Compression::Blocks(framing) => blocks::unpacked(stream, framing),
        Compression::Plain | Compression::Other(_) => {
            stream.map(|piece| piece.map_err(Into::into)).boxed()
        }
    };
    Ok(Input {
        pieces,
        compression,
        range: None,
    })
}

/// Pieces from `next` on: first one request up to `end`, then more as long as the stream is polled.
struct Ranged {
    file: PlannedFile,
    next: u64,
    end: u64,
    ahead: u64,
    current: Option<BoxStream<'static, object_store::Result<Bytes>>>,
}

impl Ranged {
    async fn step(mut self) -> object_store::Result<Option<(Bytes, Self)>> {
        loop {
            if let Some(current) = &mut self.current {
                if let Some(piece) = current.next().await.transpose()? {
                    return Ok(Some((piece, self)));
                }
                self.current = None;
                self.next = self.end;
                self.end = self.end.saturating_add(self.ahead);
                self.ahead = (self.ahead * 2).min(MAX_LOOKAHEAD);
            }
            let size = self.file.size;
            if self.next >= size {
                return Ok(None);
            }
            let got = self.file.get(Some(self.next..self.end.min(size))).await?;
            self.current = Some(got.into_stream());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn compression_is_seen_in_the_first_bytes() {
        let of = |head: &[u8], name: &str| Compression::of(head, &Path::from(name));
        assert_eq!(
            of(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0], "a.json"),
            Compression::Gzip
        );
        assert_eq!(
            of(&[0x28, 0xb5, 0x2f, 0xfd, 0, 0, 0, 0, 0, 0], "a.json"),
            Compression::Zstd
        );
        assert_eq!(of(b"BZh91AY&SY", "a"), Compression::Bzip2);
        assert_eq!(of(b"BZh9,a,b,c", "a.csv"), Compression::Plain);
        assert_eq!(of(b"a,b,c", "a.csv.gz"), Compression::Plain);
        assert_eq!(of(b"", "a.gz"), Compression::Plain);
        assert_eq!(
            of(b"\0\0\0\x10data", "a.snappy"),
            Compression::Blocks(Framing::HadoopSnappy)
        );
        for (head, name, compression) in [
            (
                &b"\xff\x06\0\0sNaPpY"[..],
                "a",
                Compression::Blocks(Framing::Snappy),
            ),
            (
                b"\x04\x22\x4d\x18d@",
                "a.csv",
                Compression::Blocks(Framing::Lz4),
            ),
            (
                b"\x50\x2a\x4d\x18\0\0",
                "a.lz4",
                Compression::Blocks(Framing::Lz4),
            ),
            (b"\x50\x2a\x4d\x18\0\0", "a.zst", Compression::Zstd),
            (
                b"\0\0\0\x10data",
                "a.lz4",
                Compression::Blocks(Framing::HadoopLz4),
            ),
            (b"x\x9c", "a.deflate", Compression::Zlib),
            (b"\x89LZO\0\r\n", "a", Compression::Other("lzo")),
        ] {
            assert_eq!(of(head, name), compression, "{name}");
        }
        assert_eq!(of(b"PK\x03\x04xxxxxx", "a.csv"), Compression::Other("zip"));
        assert!(
            looks_compressed(&Path::from("x/a.json.GZ"))
                && !looks_compressed(&Path::from("x.gz/a.json"))
        );
    }
}
