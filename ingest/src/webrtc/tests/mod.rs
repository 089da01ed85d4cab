mod client;
mod desk;
mod live;
mod offers;
mod pair;
mod peer;
