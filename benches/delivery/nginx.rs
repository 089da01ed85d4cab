//! nginx, with the same objects as files in memory.

use std::error::Error;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::origin::Origin;
use crate::server::{Object, Server, on_cores};

/// Where files are in memory.
const TMPFS: &str = "/dev/shm";
const PATIENCE: Duration = Duration::from_secs(5);

/// nginx. Dropping it ends its processes.
pub(crate) struct Nginx {
    pub(crate) server: Server,
    folder: TempDir,
}

/// Starts nginx on the objects of another server, and sees that they are the same there.
pub(crate) fn start(origin: &Origin, objects: &[Object], workers: u8) -> Result<Nginx, Box<dyn Error>> {
    let folder = tempfile::Builder::new().prefix("touchline-delivery-").tempdir_in(TMPFS)?;
    for object in &origin.objects {
        let path = object.path.split('?').next().unwrap_or_default();
        let file = folder.path().join("root").join(path.trim_start_matches('/'));
        fs::create_dir_all(file.parent().ok_or("a file without a folder")?)?;
        let file = if object.gzip { file.with_added_extension("gz") } else { file };
        fs::write(file, &object.body)?;
    }
    let (http1, http2) = (free_port()?, free_port()?);
    fs::write(folder.path().join("nginx.conf"), configuration(folder.path(), http1, http2, workers))?;
    let process = on_cores("nginx", workers, false)
        .args(arguments(folder.path()))
        .spawn()
        .map_err(|error| format!("cannot run nginx: {error}"))?;
    let nginx = Nginx { server: Server { name: "nginx", http1, http2, process }, folder };
    let started = Instant::now();
    while TcpStream::connect(http1).is_err() {
        if started.elapsed() > PATIENCE {
            return Err("nginx does not listen".into());
        }
        sleep(Duration::from_millis(20));
    }
    for object in objects {
        let theirs = Object::fetch(http1, &object.name, &object.path, object.gzip)?;
        if theirs.body != object.body {
            return Err(format!("nginx serves other bytes at {}", object.path).into());
        }
    }
    Ok(nginx)
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let stopped = Command::new("nginx").args(arguments(self.folder.path())).args(["-s", "stop"]).status();
        if let Err(error) = stopped.and_then(|_| self.server.process.wait()) {
            eprintln!("nginx could not be stopped: {error}");
        }
    }
}

fn arguments(folder: &Path) -> [String; 6] {
    let (folder, file) = (folder.display().to_string(), folder.join("nginx.conf").display().to_string());
    ["-p".into(), folder, "-c".into(), file, "-e".into(), "stderr".into()]
}

fn free_port() -> std::io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// As its makers advise for files that do not change, and no header more than it sends of itself.
fn configuration(folder: &Path, http1: SocketAddr, http2: SocketAddr, workers: u8) -> String {
    let folder = folder.display();
    format!(
        "daemon off;
worker_processes {workers};
worker_rlimit_nofile 16384;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 8192; }}
http {{
  client_body_temp_path {folder}/body;
  access_log off;
  sendfile on;
  tcp_nodelay on;
  keepalive_requests 1000000000;
  keepalive_timeout 1h;
  http2_max_concurrent_streams 256;
  open_file_cache max=100 inactive=1h;
  open_file_cache_valid 1h;
  types {{ video/mp4 m4s; application/vnd.apple.mpegurl m3u8; }}
  root {folder}/root;
  server {{
    listen {http1} backlog=4096 reuseport;
    listen {http2} http2 backlog=4096 reuseport;
    location ~ m3u8$ {{ gzip_static on; gzip_vary on; }}
  }}
}}
"
    )
}
