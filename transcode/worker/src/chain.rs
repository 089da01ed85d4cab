//! A line of elements between a source that we fill and a sink that calls us, as a pipeline of its own.
//!
//! Every codec has its own: what it does to its pipeline, the others don't notice, and between two of them the pictures
//! are in our hands.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSinkCallbacks, AppSrc};
use gstreamer_video as gst_video;
use touchline_transcode::message::Fault;
use touchline_transcode::plan::Encoder;

use crate::link::Answers;

/// A pipeline at work; it ends when this is dropped.
pub(crate) struct Chain {
    pipeline: gst::Pipeline,
    /// Where buffers go in. Never blocks, never limits: whoever fills it looks at its level.
    pub(crate) source: AppSrc,
}

impl Chain {
    /// Starts `elements` between source and sink, and tells `answers` when one fails. `callbacks` take what comes out.
    pub(crate) fn start(
        caps: Option<&gst::Caps>,
        elements: &[gst::Element],
        callbacks: AppSinkCallbacks,
        answers: &Answers,
    ) -> Result<Self, Fault> {
        let source = AppSrc::builder().format(gst::Format::Time).is_live(true).block(false).max_bytes(0).build();
        source.set_caps(caps);
        let sink = AppSink::builder().sync(false).async_(false).callbacks(callbacks).build();
        take_padded_pictures(&sink);

        let pipeline = gst::Pipeline::new();
        let line: Vec<&gst::Element> =
            [source.upcast_ref()].into_iter().chain(elements).chain([sink.upcast_ref()]).collect();
        let place = elements.first().map(place).unwrap_or_default();
        let fault =
            |error: &dyn std::error::Error| Fault { place: place.clone(), reason: error.to_string(), encoder: false };
        pipeline.add_many(&line).map_err(|error| fault(&error))?;
        gst::Element::link_many(&line).map_err(|error| fault(&error))?;
        if let Some(bus) = pipeline.bus() {
            let answers = answers.clone();
            bus.set_sync_handler(move |_, message| {
                if let gst::MessageView::Error(error) = message.view() {
                    answers.fault(&told(error));
                }
                gst::BusSyncReply::Drop
            });
        }
        let chain = Self { pipeline, source };
        chain.pipeline.set_state(gst::State::Playing).map_err(|error| fault(&error))?;
        Ok(chain)
    }
}

impl Drop for Chain {
    fn drop(&mut self) {
        // An element that will not stop is left to the end of the process.
        let _ = self.pipeline.set_state(gst::State::Null);
    }
}

/// An element, or words about what brings it.
pub(crate) fn make(name: &str) -> Result<gst::Element, Fault> {
    let encoder = Encoder::find(name);
    let or_hardware =
        if encoder.is_some_and(Encoder::is_hardware) { "there is no hardware or driver for it, or " } else { "" };
    gst::ElementFactory::make(name).build().map_err(|_| Fault {
        place: name.into(),
        reason: format!("no element {name}: {or_hardware}{} is not installed", package(name)),
        encoder: encoder.is_some(),
    })
}

/// Sets a property from its text, where this version of the element has both the property and the value.
pub(crate) fn set(element: &gst::Element, property: &str, text: &str) {
    let Some(known) = element.find_property(property) else { return };
    match gst::glib::Value::deserialize_with_pspec(text, &known) {
        Ok(value) => element.set_property_from_value(property, &value),
        Err(_) => eprintln!("{}: {property}={text} is not understood; its default stays", place(element)),
    }
}

/// Lets through nothing but `caps`.
pub(crate) fn caps_filter(caps: &gst::Caps) -> Result<gst::Element, Fault> {
    let filter = make("capsfilter")?;
    filter.set_property("caps", caps);
    Ok(filter)
}

/// The Debian package that brings an element.
pub(crate) fn package(element: &str) -> &'static str {
    match element {
        "x264enc" => "gstreamer1.0-plugins-ugly",
        "jpegenc" | "v4l2h264enc" => "gstreamer1.0-plugins-good",
        "videoscale" | "videoconvert" | "audioconvert" | "opusdec" => "gstreamer1.0-plugins-base",
        "capsfilter" => "libgstreamer1.0-0",
        name if name.starts_with("av") && name.contains('_') => "gstreamer1.0-libav",
        _ => "gstreamer1.0-plugins-bad",
    }
}

/// What is wrong with a plan.
pub(crate) fn bad_plan(reason: &str) -> Fault {
    Fault { place: "the plan".into(), reason: reason.into(), encoder: false }
}

/// Decoders may hand out pictures with padding: without this they copy each to be rid of it.
fn take_padded_pictures(sink: &AppSink) {
    let Some(pad) = sink.static_pad("sink") else { return };
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        let Some(gst::QueryViewMut::Allocation(allocation)) = info.query_mut().map(gst::QueryRef::view_mut) else {
            return gst::PadProbeReturn::Ok;
        };
        allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
        gst::PadProbeReturn::Handled
    });
}

fn told(error: &gst::message::Error) -> Fault {
    let element = error.src().and_then(|source| source.downcast_ref::<gst::Element>());
    let place = element.map(place).unwrap_or_default();
    let encoder = Encoder::find(&place).is_some();
    let reason = match error.debug() {
        Some(details) => format!("{} ({details})", error.error()),
        None => error.error().to_string(),
    };
    Fault { place, reason, encoder }
}

fn place(element: &gst::Element) -> String {
    element.factory().map(|factory| factory.name().to_string()).unwrap_or_default()
}
