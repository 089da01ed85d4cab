//! Builds `web/dist`, the pages and their assets, into the binary: writes the table that `page.rs` includes.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs, io};

fn main() -> ExitCode {
    match table() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn table() -> Result<(), String> {
    // As it is now, and not as it was when this script was built: clones may share what is built.
    let package = env::var_os("CARGO_MANIFEST_DIR").ok_or("Cargo does not say where the package is")?;
    let dist = Path::new(&package).join("../web/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    println!("cargo::rerun-if-changed=build.rs");
    let mut files = Vec::new();
    let listed = list(&dist, &mut files);
    for page in ["index.html", "watch.html", "publish.html", "desk.html"] {
        if listed.is_err() || !dist.join(page).is_file() {
            return Err(format!(
                "web/dist has no {page}, which is built into the server. Run `make web` first, or `cd web && npm ci && npm run build`"
            ));
        }
    }
    files.sort();
    let entries = files.iter().map(|file| entry(&dist, file)).collect::<Result<String, String>>()?;
    let table = format!("static DIST: &[Embedded] = &[\n{entries}];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets no OUT_DIR")?).join("dist.rs");
    fs::write(&out, table).map_err(|error| format!("{} cannot be written: {error}", out.display()))
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn entry(dist: &Path, file: &Path) -> Result<String, String> {
    let relative = file.strip_prefix(dist).ok().and_then(Path::to_str);
    let path = relative.ok_or_else(|| format!("{} has a name that is not UTF-8", file.display()))?;
    let content_type =
        content_type(file).ok_or_else(|| format!("web/dist/{path}: edge/build.rs knows no content type for it"))?;
    let source = dist.canonicalize().map_err(|error| format!("web/dist: {error}"))?.join(path);
    let source = source.to_str().ok_or("the path of the repository is not UTF-8")?;
    Ok(format!(
        "    Embedded {{ path: {path:?}, content_type: {content_type:?}, hashed: {:?}, content: include_bytes!({source:?}) }},\n",
        hashed(path),
    ))
}

fn content_type(file: &Path) -> Option<&'static str> {
    Some(match file.extension()?.to_str()? {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" => "image/jpeg",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        "wasm" => "application/wasm",
        _ => return None,
    })
}

/// Whether the file is named after its content, as the bundler does it: `assets/watch-Bx3_9-aQ.js`.
fn hashed(path: &str) -> bool {
    const HASH: usize = 8;
    let stem = path.strip_prefix("assets/").and_then(|name| name.split('.').next()).unwrap_or_default();
    stem.len().checked_sub(HASH + 1).is_some_and(|dash| stem.as_bytes().get(dash) == Some(&b'-'))
}
