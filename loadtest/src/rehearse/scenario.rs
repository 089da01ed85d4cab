//! What is rehearsed: which processes there are, who watches, what goes wrong when, and what is good enough.

use std::time::Duration;

use super::places;
use super::sheet::{Mistake, Sheet};
use super::verdict::Criterion;

/// How long a process may take until it is ready, unless the scenario says otherwise.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// The longest rehearsal.
const LONGEST: Duration = Duration::from_hours(4);

/// A scenario, without a mistake.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// What it is about.
    pub title: String,
    /// From the first viewer's join to the end.
    pub duration: Duration,
    /// In the order in which they are started.
    pub processes: Vec<Process>,
    /// Who watches.
    pub viewers: Vec<Viewers>,
    /// What goes wrong, in the order of time.
    pub faults: Vec<Fault>,
    /// What is good enough.
    pub go: Vec<Criterion>,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// What others call it.
    pub name: String,
    /// Program and arguments. `{NAME.PORT}` stands for a free port, the same everywhere.
    pub command: Vec<String>,
    /// It is ready when this URL is answered with 200; without one, as soon as it runs.
    pub ready: Option<String>,
    /// How long that may take.
    pub within: Duration,
    /// It is not started until something says so.
    pub later: bool,
}

/// A group of viewers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewers {
    /// What reports call it.
    pub name: String,
    /// What they watch.
    pub url: String,
    /// How many there are.
    pub count: u64,
    /// The time in which they join.
    pub ramp: Duration,
    /// More flags of `touchline-loadtest watch`.
    pub flags: Vec<String>,
    /// Processes whose use of the machine is told with theirs.
    pub of: Vec<String>,
}

/// Something that happens to a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Since the first viewer's join.
    pub at: Duration,
    /// What.
    pub deed: Deed,
    /// The process.
    pub process: String,
}

/// What is done to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// It is killed (SIGKILL).
    Kill,
    /// It is asked to end (SIGTERM).
    Stop,
    /// It is started, for the first time or again.
    Start,
    /// It stands still (SIGSTOP).
    Pause,
    /// It goes on (SIGCONT).
    Resume,
}

impl Deed {
    /// All deeds, as scenarios call them.
    const ALL: [(&'static str, Self); 5] = [
        ("kill", Self::Kill),
        ("stop", Self::Stop),
        ("start", Self::Start),
        ("pause", Self::Pause),
        ("resume", Self::Resume),
    ];

    /// As scenarios call it.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, deed)| *deed == self).map_or("", |(name, _)| name)
    }
}

impl Scenario {
    /// Reads a scenario; on failure, every mistake in it.
    pub fn parse(text: &str) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut root = Sheet::root(text, &mut mistakes);
        let title = root.text("title").unwrap_or_else(|| "A rehearsal".to_owned());
        let duration = root.parsed("duration", time);
        let duration = root.needed("duration", duration).unwrap_or(LONGEST);
        if duration > LONGEST {
            root.mistake("duration", "is more than four hours");
        }
        let mut scenario =
            Self { title, duration, processes: Vec::new(), viewers: Vec::new(), faults: Vec::new(), go: Vec::new() };
        root.each("process", |sheet| scenario.processes.extend(Process::read(sheet, &scenario.processes)));
        root.each("viewers", |sheet| scenario.viewers.extend(Viewers::read(sheet, &scenario)));
        root.each("fault", |sheet| scenario.faults.extend(Fault::read(sheet, &scenario)));
        root.table("go", |sheet| scenario.go = Criterion::read_all(sheet));
        if scenario.viewers.is_empty() {
            root.needed::<()>("viewers", None);
        }
        if scenario.go.is_empty() {
            root.needed::<()>("go", None);
        }
        root.finish();
        scenario.faults.sort_by_key(|fault| fault.at);
        // What stands in a file that is not TOML means nothing.
        if mistakes.iter().any(|mistake| mistake.setting.is_empty()) {
            mistakes.retain(|mistake| mistake.setting.is_empty());
        }
        mistakes.sort_by_key(|mistake| mistake.line);
        if mistakes.is_empty() { Ok(scenario) } else { Err(mistakes) }
    }
}

impl Process {
    fn read(sheet: &mut Sheet<'_, '_>, others: &[Self]) -> Option<Self> {
        let name = sheet.parsed("name", name);
        let name = sheet.needed("name", name);
        let command = sheet.texts("command");
        if command.is_empty() {
            sheet.needed("command", Some(()).filter(|()| false));
        }
        let process = Self {
            name: name?,
            command,
            ready: sheet.text("ready"),
            within: sheet.parsed("within", time).unwrap_or(READY_WITHIN),
            later: sheet.flag("later"),
        };
        if others.iter().any(|other| other.name == process.name) {
            sheet.mistake("name", format!("{:?} is the name of another process", process.name));
        }
        for (setting, text) in
            process.command.iter().map(|text| ("command", text)).chain(process.ready.iter().map(|text| ("ready", text)))
        {
            // A process may know the ports of those that come after it.
            if let Err(why) = places::check(text) {
                sheet.mistake(setting, why);
            }
        }
        Some(process)
    }
}

impl Viewers {
    fn read(sheet: &mut Sheet<'_, '_>, scenario: &Scenario) -> Option<Self> {
        let url = sheet.text("url");
        let url = sheet.needed("url", url);
        let count = sheet.number("viewers");
        let count = sheet.needed("viewers", count);
        if count == Some(0) {
            sheet.mistake("viewers", "must be one at least");
        }
        let ramp = sheet.parsed("ramp", time).unwrap_or(Duration::ZERO);
        if ramp >= scenario.duration {
            sheet.mistake("ramp", "is as long as the rehearsal: nobody would watch together");
        }
        let group = scenario.viewers.len() + 1;
        let viewers = Self {
            name: sheet.parsed("name", name).unwrap_or_else(|| format!("viewers-{group}")),
            flags: sheet.texts("flags"),
            of: sheet.texts("of"),
            url: url?,
            count: count?,
            ramp,
        };
        if let Err(why) = places::check(&viewers.url) {
            sheet.mistake("url", why);
        }
        for process in &viewers.of {
            check_process(sheet, "of", process, scenario);
        }
        if scenario.viewers.iter().any(|other| other.name == viewers.name) {
            sheet.mistake("name", format!("{:?} is the name of other viewers", viewers.name));
        }
        Some(viewers)
    }
}

impl Fault {
    fn read(sheet: &mut Sheet<'_, '_>, scenario: &Scenario) -> Option<Self> {
        let at = sheet.parsed("at", time);
        let at = sheet.needed("at", at);
        if at.is_some_and(|at| at >= scenario.duration) {
            sheet.mistake("at", "is after the end of the rehearsal");
        }
        let mut deeds = Vec::new();
        for (name, deed) in Deed::ALL {
            let process = sheet.text(name);
            deeds.extend(process.map(|process| (name, deed, process)));
        }
        let [(name, deed, process)] = deeds.as_slice() else {
            sheet.mistake(
                "at",
                "must come with one of kill, stop, start, pause and resume, each with the name of a process",
            );
            return None;
        };
        check_process(sheet, name, process, scenario);
        Some(Self { at: at?, deed: *deed, process: process.clone() })
    }
}

fn check_process(sheet: &mut Sheet<'_, '_>, setting: &str, process: &str, scenario: &Scenario) {
    if !scenario.processes.iter().any(|known| known.name == process) {
        let known: Vec<_> = scenario.processes.iter().map(|process| process.name.as_str()).collect();
        sheet.mistake(setting, format!("{process:?} is not a process; there are: {}", known.join(", ")));
    }
}

/// A time like `20s` or `500ms`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|_| format!("{text:?} is not a time like \"20s\" or \"500ms\""))
}

/// A name that can be part of a file's name.
fn name(text: &str) -> Result<String, String> {
    let fits = !text.is_empty() && text.len() <= 40;
    let fits = fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    if fits { Ok(text.to_owned()) } else { Err(format!("{text:?} is not a name: up to 40 letters, digits, - and _")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
title = "An origin dies"
duration = "30s"

[[process]]
name = "origin"
command = ["touchline", "serve", "--http", "127.0.0.1:{origin.http}"]
ready = "http://127.0.0.1:{origin.http}/"

[[process]]
name = "spare"
command = ["touchline", "serve"]
later = true

[[viewers]]
url = "http://127.0.0.1:{origin.http}/live/main/index.m3u8"
viewers = 50
ramp = "5s"
of = ["origin"]

[[fault]]
at = "20s"
start = "spare"

[[fault]]
at = "15s"
kill = "origin"

[go]
stalled = "1%"
part_p99 = "300ms"
"#;

    fn told(text: &str) -> String {
        let mistakes = Scenario::parse(text).expect_err("it has mistakes");
        mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_scenario_is_read_and_its_faults_are_put_in_order() {
        let scenario = Scenario::parse(GOOD).unwrap();
        let faults: Vec<_> = scenario
            .faults
            .iter()
            .map(|fault| (fault.at.as_secs(), fault.deed.name(), fault.process.as_str()))
            .collect();
        assert_eq!(faults, [(15, "kill", "origin"), (20, "start", "spare")]);
        assert_eq!((scenario.viewers[0].name.as_str(), scenario.viewers[0].count), ("viewers-1", 50));
        assert_eq!((scenario.processes[1].later, scenario.processes[0].within), (true, READY_WITHIN));
        assert_eq!(scenario.go.len(), 2);
    }

    #[test]
    fn all_mistakes_are_told_at_once() {
        let text = GOOD
            .replace("name = \"spare\"", "name = \"origin\"\ncolour = \"red\"")
            .replace("viewers = 50", "viewers = \"fifty\"")
            .replace("kill = \"origin\"", "kill = \"orgin\"")
            .replace("at = \"20s\"", "at = \"soon\"")
            .replace("{origin.http}/live", "{origin}/live")
            .replace("part_p99 = \"300ms\"", "part_p99 = 300\nstaled = \"1%\"");
        insta::assert_snapshot!(told(&text));
    }

    #[test]
    fn an_empty_scenario_says_what_is_missing() {
        insta::assert_snapshot!(told("[[fault]]\nat = \"1s\""));
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        assert!(told("title = \"a\nduration = 3").starts_with("line 1: "), "{}", told("title = \"a\nduration = 3"));
    }

    #[test]
    fn the_scenarios_that_come_with_it_are_good() {
        for text in [include_str!("../../scenarios/small.toml"), include_str!("../../scenarios/failover.toml")] {
            assert_eq!(Scenario::parse(text).err(), None);
        }
    }
}
