//! What Linux tells of a process (proc(5)).

use std::collections::BTreeMap;
use std::io;
use std::ops::Sub;
use std::path::Path;

/// The unit of processor times in /proc, on all architectures: `USER_HZ`.
const TICKS_PER_SECOND: f64 = 100.0;

/// Processor time in seconds.
#[derive(Debug, Clone)]
pub struct Usage {
    /// Of the process with all its threads, those that have ended too.
    pub total: f64,
    /// Of the threads that there are, those of one name together.
    pub threads: BTreeMap<String, f64>,
}

/// What has been used between two looks.
impl Sub for Usage {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        let since = |(name, seconds)| {
            let before = before.threads.get(&name).copied().unwrap_or_default();
            (name, seconds - before)
        };
        Self { total: self.total - before.total, threads: self.threads.into_iter().map(since).collect() }
    }
}

/// What a process has used since it began.
pub fn usage(process: u32) -> io::Result<Usage> {
    let folder = Path::new("/proc").join(process.to_string());
    let (_, total) = stat(&folder)?;
    let mut threads = BTreeMap::new();
    for thread in folder.join("task").read_dir()? {
        // A thread may end while it is looked at.
        let Ok((name, seconds)) = stat(&thread?.path()) else { continue };
        *threads.entry(name).or_default() += seconds;
    }
    Ok(Usage { total, threads })
}

/// What a process and its children that are there have used since they began, in seconds.
pub fn family(process: u32) -> io::Result<f64> {
    let folder = Path::new("/proc").join(process.to_string());
    let children = std::fs::read_to_string(folder.join("task").join(process.to_string()).join("children"))?;
    let children =
        children.split_whitespace().map(|child| stat(&Path::new("/proc").join(child)).map(|(_, seconds)| seconds));
    Ok(stat(&folder)?.1 + children.sum::<io::Result<f64>>()?)
}

/// What all processes have used since the machine began, in seconds.
pub fn machine() -> io::Result<f64> {
    let stat = std::fs::read_to_string("/proc/stat")?;
    // The first line sums up all cores: user, nice, system; idle and what comes of waiting; irq, softirq. The rest is the
    // hypervisor's.
    let all = stat.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks = [0, 1, 2, 5, 6].map(|field| all.clone().nth(field).and_then(|ticks| ticks.parse::<f64>().ok()));
    let ticks = ticks.into_iter().sum::<Option<f64>>();
    ticks.map(|ticks| ticks / TICKS_PER_SECOND).ok_or_else(|| io::Error::other("/proc/stat is not understood"))
}

/// The most memory that a process has had, in bytes.
pub fn peak_memory(process: u32) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1_024).ok_or_else(|| io::Error::other("no VmHWM: it has ended"))
}

/// Name and processor time of a process or a thread.
fn stat(folder: &Path) -> io::Result<(String, f64)> {
    let stat = std::fs::read_to_string(folder.join("stat"))?;
    let told = || {
        // The name is in parentheses, and may have some in it.
        let (name, fields) = stat.split_once('(')?.1.rsplit_once(')')?;
        // utime and stime are the fields 14 and 15; behind the name comes the third.
        let ticks = fields.split_whitespace().skip(11).take(2).map(|field| field.parse::<f64>().ok());
        Some((name.to_owned(), ticks.sum::<Option<f64>>()? / TICKS_PER_SECOND))
    };
    told().ok_or_else(|| io::Error::other(format!("{} is not understood: {stat}", folder.display())))
}
