//! Sound: every access unit at the time of the source's whose samples it holds.
