//! What a server says in words, which `rml_rtmp`'s session keeps to itself.

use rml_rtmp::chunk_io::ChunkDeserializer;
use rml_rtmp::messages::RtmpMessage;
use rml_rtmp::rml_amf0::Amf0Value;

/// Listens to all that a server sends, beside the session.
pub(super) struct Ears {
    chunks: ChunkDeserializer,
    refusal: Option<String>,
    /// Bytes that are not RTMP are the session's matter.
    deaf: bool,
}

impl Ears {
    pub(super) fn new() -> Self {
        Self { chunks: ChunkDeserializer::new(), refusal: None, deaf: false }
    }

    /// Takes what came.
    pub(super) fn hear(&mut self, mut bytes: &[u8]) {
        while !self.deaf {
            let message = match self.chunks.get_next_message(bytes) {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(_) => {
                    self.deaf = true;
                    break;
                }
            };
            bytes = &[];
            match message.to_rtmp_message() {
                Ok(RtmpMessage::SetChunkSize { size }) => {
                    self.deaf = self.chunks.set_max_chunk_size(size as usize).is_err();
                }
                Ok(RtmpMessage::Amf0Command { command_name, additional_arguments, .. }) => {
                    let no = additional_arguments.iter().find_map(|argument| refusal(&command_name, argument));
                    self.refusal = self.refusal.take().or(no);
                }
                _ => {}
            }
        }
    }

    /// Why the server does not want this publisher, once it has said so.
    pub(super) fn refusal(&self) -> Option<String> {
        self.refusal.clone()
    }
}

/// The words of an information object (RTMP 1.0 7.2.1.1, 7.2.2) that says no.
fn refusal(command: &str, information: &Amf0Value) -> Option<String> {
    let Amf0Value::Object(information) = information else { return None };
    let text = |key: &str| match information.get(key) {
        Some(Amf0Value::Utf8String(text)) if !text.is_empty() => Some(text.clone()),
        _ => None,
    };
    let no = command == "_error" || command == "onStatus" && text("level").as_deref() == Some("error");
    no.then(|| text("description").or_else(|| text("code")).unwrap_or_else(|| "without a reason".to_owned()))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use rml_rtmp::chunk_io::ChunkSerializer;
    use rml_rtmp::time::RtmpTimestamp;

    use super::*;

    fn status(level: &str, description: &str) -> RtmpMessage {
        let properties = [("level", level), ("code", "NetStream.Publish.BadName"), ("description", description)];
        let information: HashMap<_, _> =
            properties.map(|(key, value)| (key.to_owned(), Amf0Value::Utf8String(value.to_owned()))).into();
        RtmpMessage::Amf0Command {
            command_name: "onStatus".to_owned(),
            transaction_id: 0.0,
            command_object: Amf0Value::Null,
            additional_arguments: vec![Amf0Value::Object(information)],
        }
    }

    #[test]
    fn what_a_server_says_no_with_is_heard_at_any_chunk_size() {
        let mut chunks = ChunkSerializer::new();
        let size = chunks.set_max_chunk_size(4_096, RtmpTimestamp::new(0)).unwrap().bytes;
        let no = "the key is missing or wrong: ask whoever runs the server for the key of this channel ".repeat(4);
        let mut sent = size;
        for message in [status("status", "all is well"), status("error", &no), status("error", "once more")] {
            let payload = message.into_message_payload(RtmpTimestamp::new(0), 1).unwrap();
            sent.extend(chunks.serialize(&payload, false, false).unwrap().bytes);
        }
        let mut ears = Ears::new();
        for bytes in sent.chunks(7) {
            ears.hear(bytes);
        }
        assert_eq!(ears.refusal(), Some(no));
    }
}
