//! What stands between viewers and a server: the configurations of `deploy/`, with other addresses in them.

use std::fs::{File, Permissions};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use tempfile::TempDir;

use crate::http::Address;
use crate::support::{self, Server};

/// A running cache, door or edge. Dropping it ends the process.
pub(crate) struct Front {
    child: Option<Child>,
    _edge: Option<Server>,
    pub(crate) at: Address,
    dir: TempDir,
}

impl Front {
    /// Nothing: viewers come to the server itself.
    pub(crate) fn none(server: &Server) -> Self {
        Self { child: None, _edge: None, at: Address::Tcp(server.http), dir: folder("touchline-none-") }
    }

    /// An edge of ours.
    pub(crate) fn edge(server: &Server) -> Self {
        let edge = Server::edge(&[server], "");
        let at = Address::Tcp(edge.http);
        Self { child: None, _edge: Some(edge), at, dir: folder("touchline-edge-") }
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
        Self::listening(varnish, socket, dir)
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
        Self::listening(nginx, socket, dir)
    }

    pub(crate) fn traffic_server(server: &Server) -> Self {
        let dir = folder("touchline-ats-");
        let root = dir.path().to_owned();
        for name in ["etc", "run", "logs", "cache"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        // It is given the socket as its standard input, so that nobody else can take the port.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let ports = format!("server_ports STRING {}:fd=0\n", at.port());
        let records = edited(
            "ats/records.config",
            &[("server_ports STRING 80\n", &ports), ("user_id STRING trafficserver", "user_id STRING #-1")],
        );
        std::fs::write(root.join("etc/records.config"), records).unwrap();
        for name in ["remap.config", "touchline.regex"] {
            let text = std::fs::read_to_string(deployed(&format!("ats/{name}"))).unwrap();
            std::fs::write(root.join("etc").join(name), text.replace("127.0.0.1:8080", &server.http.to_string()))
                .unwrap();
        }
        std::fs::write(root.join("etc/storage.config"), format!("{} 256M\n", root.join("cache").display())).unwrap();
        let stock = ["/etc/trafficserver/ip_allow.yaml", "/etc/trafficserver/body_factory"];
        support::run(Command::new("cp").arg("-r").args(stock).arg(root.join("etc")));
        let places = [
            ("prefix", ""),
            ("sysconfdir", "etc"),
            ("localstatedir", "run"),
            ("runtimedir", "run"),
            ("logdir", "logs"),
            ("cachedir", "cache"),
            ("datadir", ""),
        ];
        let places = places.map(|(name, place)| format!("{name}: {}\n", root.join(place).display()));
        let installed = "bindir: /usr/bin\nsbindir: /usr/bin\nlibexecdir: /usr/lib/trafficserver/modules\n";
        std::fs::write(root.join("runroot.yaml"), installed.to_owned() + &places.concat()).unwrap();
        let mut traffic_server = Command::new("traffic_server");
        traffic_server.arg(format!("--run-root={}", root.join("runroot.yaml").display()));
        traffic_server.stdin(OwnedFd::from(listener));
        // The socket takes connections before it reads from them.
        let answers = move || crate::http::answers(at);
        Self::start(traffic_server, Address::Tcp(at), answers, dir)
    }

    /// Where nginx listens for TLS.
    pub(crate) fn secure(&self) -> PathBuf {
        self.dir.path().join("secure")
    }

    fn listening(command: Command, socket: PathBuf, dir: TempDir) -> Self {
        let there = socket.clone();
        Self::start(command, Address::Unix(socket), move || UnixStream::connect(&there).is_ok(), dir)
    }

    fn start(mut command: Command, at: Address, ready: impl Fn() -> bool, dir: TempDir) -> Self {
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
            ready()
        });
        Self { child: Some(child), _edge: None, at, dir }
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

/// A folder that the users of caches may enter too.
fn folder(prefix: &str) -> TempDir {
    tempfile::Builder::new().prefix(prefix).permissions(Permissions::from_mode(0o755)).tempdir().unwrap()
}

fn deployed(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file)
}

/// A file of `deploy/` in which each of these, which it has once, is replaced.
fn edited(file: &str, replacements: &[(&str, &str)]) -> String {
    let path = deployed(file);
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (from, to) in replacements {
        assert_eq!(text.matches(from).count(), 1, "{from} in {}", path.display());
        text = text.replace(from, to);
    }
    text
}
