//! What viewers see of a presentation.

use std::collections::BTreeSet;
use std::sync::Arc;

use touchline_packager::{
    Event, Found, Name, Notice, Part, Pathways, Presentation, Report, Resource, SegmentEnd, Skip, Window, multivariant,
};

/// Windows of every rendition, fed with events.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    pub(crate) presentation: Arc<Presentation>,
    pub(crate) windows: Vec<Window>,
}

impl Viewer {
    /// Sees what the events say so far.
    pub(crate) fn of(events: &[Event]) -> Self {
        let mut viewer = Self::open(events);
        viewer.apply(events);
        viewer
    }

    /// Has seen nothing yet.
    pub(crate) fn open(events: &[Event]) -> Self {
        let opened = events.iter().find_map(|event| match event {
            Event::Opened(presentation) => Some(Arc::clone(presentation)),
            _ => None,
        });
        let presentation = opened.expect("a presentation was opened");
        let windows = presentation.ids().map(|id| Window::new(Arc::clone(&presentation), id)).collect();
        Self { presentation, windows }
    }

    pub(crate) fn apply(&mut self, events: &[Event]) {
        for event in events {
            for window in &mut self.windows {
                window.apply(event);
            }
        }
    }

    pub(crate) fn window(&self, name: &str) -> &Window {
        let id = self.presentation.find(name).unwrap();
        &self.windows[usize::from(id.0)]
    }

    /// How far all renditions are.
    pub(crate) fn reports(&self) -> Vec<Report> {
        self.windows.iter().filter_map(Window::report).collect()
    }

    /// The update for who has an older playlist; the whole one where nothing is skipped.
    pub(crate) fn delta(&self, name: &str, skip: Skip) -> String {
        let playlist = self.window(name).playlist(&self.reports());
        playlist.delta(skip).map_or_else(|| playlist.to_string(), |delta| delta.to_string())
    }

    pub(crate) fn playlist(&self, name: &str) -> String {
        self.window(name).playlist(&self.reports()).to_string()
    }

    pub(crate) fn multivariant(&self) -> Option<String> {
        multivariant(&self.presentation, &self.windows.iter().collect::<Vec<_>>(), None)
    }

    /// The multivariant playlist of viewers who are led on several pathways.
    pub(crate) fn multivariant_on(&self, pathways: &Pathways) -> Option<String> {
        multivariant(&self.presentation, &self.windows.iter().collect::<Vec<_>>(), Some(pathways))
    }

    /// Fetches a file of a rendition; `None` where a server answers 404.
    pub(crate) fn fetch(&self, rendition: &str, file: &str) -> Option<Vec<u8>> {
        let name: Name = file.parse().unwrap();
        match self.window(rendition).find(name) {
            Found::Ready(Resource::Whole(data)) => Some(data.to_vec()),
            Found::Ready(Resource::Chunks(chunks)) => Some(chunks.concat()),
            Found::Next | Found::Missing | Found::Offloaded { .. } => None,
        }
    }
}

/// The parts of the rendition with this index that have media.
pub(crate) fn parts(events: &[Event], rendition: usize) -> Vec<&Part> {
    let mut parts = all_parts(events, rendition);
    parts.retain(|part| !part.gap);
    parts
}

/// The parts of the rendition with this index, gaps included.
pub(crate) fn all_parts(events: &[Event], rendition: usize) -> Vec<&Part> {
    let all = events.iter().filter_map(|event| match event {
        Event::Part(part) => Some(part),
        _ => None,
    });
    all.filter(|part| usize::from(part.rendition.0) == rendition).collect()
}

/// The segments of the rendition with this index that have media.
pub(crate) fn segment_ends(events: &[Event], rendition: usize) -> Vec<&SegmentEnd> {
    let media: BTreeSet<u64> = parts(events, rendition).iter().map(|part| part.msn).collect();
    let mut ends = all_segment_ends(events, rendition);
    ends.retain(|end| media.contains(&end.msn));
    ends
}

/// The segments of the rendition with this index, gaps included.
pub(crate) fn all_segment_ends(events: &[Event], rendition: usize) -> Vec<&SegmentEnd> {
    let all = events.iter().filter_map(|event| match event {
        Event::SegmentEnd(end) => Some(end),
        _ => None,
    });
    all.filter(|end| usize::from(end.rendition.0) == rendition).collect()
}

pub(crate) fn notices(events: &[Event]) -> Vec<&Notice> {
    let all = events.iter().filter_map(|event| match event {
        Event::Notice(notice) => Some(notice),
        _ => None,
    });
    all.collect()
}
