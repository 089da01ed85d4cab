use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

/// The listed segments that a delta update skips, as text: each is written once, when it comes to be that old, however
/// long the window and however often its playlist is rendered. Clones share the text.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    blocks: VecDeque<Arc<Block>>,
    /// How many segments of the first block have left the playlist.
    gone: usize,
    segments: usize,
}

/// The segments in a block: few enough that a change to a shared one costs little, enough that a day has few blocks.
const BLOCK: usize = 64;

#[derive(Debug, Clone, Default)]
struct Block {
    text: String,
    /// Where the text of each segment ends.
    ends: Vec<usize>,
}

impl History {
    /// How many segments there are.
    pub(crate) fn len(&self) -> usize {
        self.segments
    }

    /// Adds the segment after the last one.
    pub(crate) fn push(&mut self, segment: impl fmt::Display) {
        if self.blocks.back().is_none_or(|block| block.ends.len() == BLOCK) {
            self.blocks.push_back(Arc::default());
        }
        if let Some(block) = self.blocks.back_mut().map(Arc::make_mut) {
            block.text += &segment.to_string();
            block.ends.push(block.text.len());
            self.segments += 1;
        }
    }

    /// Forgets the first segment.
    pub(crate) fn pop(&mut self) {
        let Some(first) = self.blocks.front() else { return };
        self.gone += 1;
        self.segments -= 1;
        if self.gone == first.ends.len() {
            self.blocks.pop_front();
            self.gone = 0;
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut blocks = self.blocks.iter();
        if let Some(first) = blocks.next() {
            let start = self.gone.checked_sub(1).and_then(|last| first.ends.get(last)).copied().unwrap_or(0);
            f.write_str(first.text.get(start..).unwrap_or_default())?;
        }
        blocks.try_for_each(|block| f.write_str(&block.text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_pushed_and_not_popped_is_the_text(pops in prop::collection::vec(0_usize..4, 0..300)) {
            let (mut history, mut expected) = (History::default(), VecDeque::new());
            for (number, pops) in pops.into_iter().enumerate() {
                let segment = format!("segment {number}\n");
                history.push(&segment);
                expected.push_back(segment);
                let before = history.clone();
                let text: String = expected.iter().map(String::as_str).collect();
                for _ in 0..pops {
                    history.pop();
                    expected.pop_front();
                }
                prop_assert_eq!(before.to_string(), text);
                prop_assert_eq!(history.len(), expected.len());
                prop_assert_eq!(history.to_string(), expected.iter().map(String::as_str).collect::<String>());
            }
        }
    }
}
