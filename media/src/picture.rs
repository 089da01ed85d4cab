use crate::Error;

/// The largest picture taken, in pixels along either side.
pub(crate) const MAX_SIDE: u32 = 8_192;

/// The width and height that `what` tells, if they are those of a picture.
pub(crate) fn size(what: &'static str, width: u32, height: u32) -> Result<(u32, u32), Error> {
    for (field, value) in [("width", width), ("height", height)] {
        if !(1..=MAX_SIDE).contains(&value) {
            return Err(Error::Unsupported { what, field, value });
        }
    }
    Ok((width, height))
}
