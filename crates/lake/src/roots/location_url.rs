//! URLs of locations in one form, so that they can be compared as texts.

use lakegate_error::{Code, Error, Result};

pub(super) fn refused(location: &str, why: &str) -> Error {
    Error::new(
        Code::LocationRefused,
        format!("location '{location}' is refused: {why}"),
    )
}

/// Lower-cases the scheme, folds `s3a`/`s3n` into `s3`, collapses `//` and refuses what could climb
/// out.
pub(super) fn normal_url(location: &str) -> Result<String> {
    let Some((scheme, rest)) = location.split_once("://") else {
        return Err(refused(
            location,
            "it must be a URL such as s3://bucket/folder/",
        ));
    };
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "s3" | "s3a" | "s3n" => "s3",
        "file" => "file",
        other => {
            return Err(refused(
                location,
                &format!("scheme '{other}' is not supported; use s3:// or file://"),
            ));
        }
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    match scheme {
        "s3" if host.is_empty() => return Err(refused(location, "it names no bucket")),
        "file" if !host.is_empty() => {
            return Err(refused(
                location,
                "a file URL has three slashes: file:///folder/",
            ));
        }
        _ => {}
    }
    if host.contains(['@', '?', '#', '%', '\\', ':'])
        || path.contains(['?', '#', '\\', '\0', '\n', '\r'])
    {
        return Err(refused(
            location,
            "it holds a character that a location cannot have",
        ));
    }
    let mut normal = format!("{scheme}://{host}/");
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        let decoded = percent_encoding::percent_decode_str(segment).decode_utf8_lossy();
        // A folder of a partition may have `%2F` in its name, which stays as it is; what a reader
        // that decodes it would climb with may not.
        if decoded
            .split(['/', '\\'])
            .any(|part| matches!(part, "." | ".."))
        {
            return Err(refused(
                location,
                &format!("its segment '{segment}' could leave the folder"),
            ));
        }
        normal.push_str(segment);
        normal.push('/');
    }
    if !location.ends_with('/') && normal.len() > scheme.len() + 4 + host.len() {
        normal.pop();
    }
    Ok(normal)
}
