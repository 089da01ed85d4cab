pub(super) mod network;
pub(super) mod packetizer;
mod publication;
