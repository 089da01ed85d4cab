//! Finds the system's libsrt.

/// The oldest libsrt that has what this crate calls, and stands hostile handshakes.
const MIN_VERSION: &str = "1.5.1";

fn main() {
    if let Err(error) = pkg_config::Config::new().atleast_version(MIN_VERSION).probe("srt") {
        println!(
            "cargo::error=libsrt {MIN_VERSION} or newer is not there to link with. On Debian and Ubuntu: \
             apt-get install libsrt-openssl-dev pkg-config ({error})"
        );
    }
}
