//! What stands between viewers and a server: the configurations of `deploy/`, with other addresses in them.

use std::fs::{File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::http::Address;
use crate::support::{self, Server};

/// A running cache or door. Dropping it ends the process.
pub(crate) struct Front {
    child: Option<Child>,
    pub(crate) at: Address,
    dir: TempDir,
}

impl Front {
    /// Nothing: viewers come to the server itself.
    pub(crate) fn none(server: &Server) -> Self {
        Self { child: None, at: Address::Tcp(server.http), dir: folder("touchline-none-") }
    }

    pub(crate) fn varnish(server: &Server) -> Self {
        let dir = folder("touchline-varnish-");
        let port = format!(".port = \"{}\"", server.http.port());
        let vcl = edited("varnish/touchline.vcl", &[(".port = \"8080\"", &port)]);
        let (config, socket) = (dir.path().join("touchline.vcl"), dir.path().join("socket"));
        std::fs::write(&config, vcl).unwrap();
        let mut varnish = Command::new("varnishd");
        varnish.args(["-F", "-T", "none", "-l", "1m", "-s", "malloc,256m", "-p", "backend_idle_timeout=20", "-a"]);
        varnish.arg(format!("{},HTTP", socket.display())).arg("-f").arg(config).arg("-n").arg(dir.path().join("work"));
        Self::start(varnish, socket, dir)
    }

    /// Listens for plain HTTP at `at`, and for TLS at [`Front::secure`].
    pub(crate) fn nginx(server: &Server) -> Self {
        let dir = folder("touchline-nginx-");
        let [config, socket, secure, certificate, key] =
            ["nginx.conf", "socket", "secure", "live.pem", "live.key"].map(|name| dir.path().join(name));
        let listen = |socket: &Path| format!("listen unix:{}", socket.display());
        let conf = edited(
            "nginx/nginx.conf",
            &[
                ("server 127.0.0.1:8080;", &format!("server {};", server.http)),
                ("listen 80 backlog=4096", &listen(&socket)),
                ("listen 443 ssl http2 backlog=4096", &format!("{} ssl http2", listen(&secure))),
                ("worker_processes auto", "worker_processes 1"),
                ("worker_rlimit_nofile 65536", "worker_rlimit_nofile 1024"),
                ("worker_connections 32768", "worker_connections 512"),
            ],
        );
        std::fs::write(&config, conf).unwrap();
        support::run(
            Command::new("openssl")
                .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=live"])
                .arg("-keyout")
                .arg(key)
                .arg("-out")
                .arg(certificate),
        );
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(dir.path()).arg("-c").arg(config).args(["-g", "daemon off;"]);
        Self::start(nginx, socket, dir)
    }

    /// Where nginx listens for TLS.
    pub(crate) fn secure(&self) -> PathBuf {
        self.dir.path().join("secure")
    }

    fn start(mut command: Command, socket: PathBuf, dir: TempDir) -> Self {
        let log = dir.path().join("log");
        let said = File::create(&log).unwrap();
        let mut child = command
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        support::until(|| {
            if let Some(status) = child.try_wait().unwrap() {
                panic!("{command:?}: {status}\n{}", std::fs::read_to_string(&log).unwrap());
            }
            UnixStream::connect(&socket).is_ok()
        });
        Self { child: Some(child), at: Address::Unix(socket), dir }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // Killed outright, it would leave its own children behind.
            let _ = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
            let _ = child.wait();
        }
    }
}

/// A folder that the users of Varnish and nginx may enter too.
fn folder(prefix: &str) -> TempDir {
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o755)).tempdir().unwrap()
}

/// A file of `deploy/` in which each of these, which it has once, is replaced.
fn edited(file: &str, replacements: &[(&str, &str)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in replacements {
        assert_eq!(text.matches(from).count(), 1, "{from} in {}", path.display());
        text = text.replace(from, to);
    }
    text
}
