//! The sequence header OBU (AV1 5.5).

use h264_reader::rbsp::{BitRead, BitReader, BitReaderError};

use crate::{Error, FrameRate, picture};

/// What a sequence header says (AV1 5.5.1), up to the size of its pictures.
pub(super) struct SequenceHeader {
    profile: u8,
    reduced: bool,
    /// Of the first operating point.
    level: u8,
    /// The same.
    high_tier: bool,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) rate: Option<FrameRate>,
}

/// How pictures are coded, as an `AV1CodecConfigurationRecord` has it (AV1-ISOBMFF 2.3.3).
pub(super) struct Coding {
    /// `seq_profile` and `seq_level_idx_0`.
    pub(super) profile_and_level: u8,
    /// `seq_tier_0` and on, up to `chroma_sample_position`.
    pub(super) depth_and_chroma: u8,
}

impl SequenceHeader {
    const WHAT: &'static str = "AV1 sequence header";

    /// Reads what is needed of one for which there is a record.
    pub(super) fn parse(payload: &[u8]) -> Result<Self, Error> {
        Self::read(&mut BitReader::new(payload)).map_err(|error| Self::unreadable(&error))?.checked()
    }

    /// Reads all that a record has.
    pub(super) fn parse_all(payload: &[u8]) -> Result<(Self, Coding), Error> {
        let mut bits = BitReader::new(payload);
        let header = Self::read(&mut bits).map_err(|error| Self::unreadable(&error))?.checked()?;
        let coding = Coding::read(&header, &mut bits).map_err(|error| Self::unreadable(&error))?;
        Ok((header, coding))
    }

    fn checked(self) -> Result<Self, Error> {
        picture::size(Self::WHAT, self.width, self.height)?;
        Ok(self)
    }

    fn unreadable(error: &BitReaderError) -> Error {
        Error::Unreadable { what: Self::WHAT, reason: format!("{error:?}") }
    }

    fn read(bits: &mut impl BitRead) -> Result<Self, BitReaderError> {
        let profile = bits.read::<3, u8>("seq_profile")?;
        bits.skip(1, "still_picture")?;
        let mut rate = None;
        let reduced = bits.read_bit("reduced_still_picture_header")?;
        let (level, high_tier) = if reduced {
            (bits.read::<5, u8>("seq_level_idx")?, false)
        } else {
            let mut delay_len = None;
            if bits.read_bit("timing_info_present_flag")? {
                rate = timing_info(bits)?;
                if bits.read_bit("decoder_model_info_present_flag")? {
                    delay_len = Some(decoder_model_info(bits)?);
                }
            }
            operating_points(bits, delay_len)?
        };
        let width_len = bits.read::<4, u32>("frame_width_bits_minus_1")? + 1;
        let height_len = bits.read::<4, u32>("frame_height_bits_minus_1")? + 1;
        let width: u32 = bits.read_var(width_len, "max_frame_width_minus_1")?;
        let height: u32 = bits.read_var(height_len, "max_frame_height_minus_1")?;
        Ok(Self { profile, reduced, level, high_tier, width: width + 1, height: height + 1, rate })
    }
}

impl Coding {
    /// Reads what follows the size of the pictures.
    fn read(header: &SequenceHeader, bits: &mut impl BitRead) -> Result<Self, BitReaderError> {
        if !header.reduced && bits.read_bit("frame_id_numbers_present_flag")? {
            bits.skip(4 + 3, "frame_id_length")?;
        }
        bits.skip(3, "use_128x128_superblock")?;
        if !header.reduced {
            skip_tools(bits)?;
        }
        bits.skip(3, "enable_superres")?;
        Ok(Self {
            profile_and_level: header.profile << 5 | header.level,
            depth_and_chroma: u8::from(header.high_tier) << 7 | colour(header.profile, bits)?,
        })
    }
}

/// AV1 5.5.3: a rate only where all pictures last equally long.
fn timing_info(bits: &mut impl BitRead) -> Result<Option<FrameRate>, BitReaderError> {
    let units: u32 = bits.read::<32, _>("num_units_in_display_tick")?;
    let scale: u32 = bits.read::<32, _>("time_scale")?;
    if !bits.read_bit("equal_picture_interval")? {
        return Ok(None);
    }
    let ticks = bits.read_ue("num_ticks_per_picture_minus_1")?.saturating_add(1);
    Ok(units.checked_mul(ticks).and_then(|ticks| FrameRate::new(scale, ticks)))
}

/// AV1 5.5.4: the bits that a buffer delay takes.
fn decoder_model_info(bits: &mut impl BitRead) -> Result<u32, BitReaderError> {
    let len = bits.read::<5, u32>("buffer_delay_length_minus_1")? + 1;
    bits.skip(32 + 5 + 5, "decoder_model_info")?;
    Ok(len)
}

/// AV1 5.5.1; `delay_len` is there if a decoder model is. Level and tier of the first.
fn operating_points(bits: &mut impl BitRead, delay_len: Option<u32>) -> Result<(u8, bool), BitReaderError> {
    let has_display_delay = bits.read_bit("initial_display_delay_present_flag")?;
    let count = bits.read::<5, u32>("operating_points_cnt_minus_1")? + 1;
    let mut first = None;
    for _ in 0..count {
        bits.skip(12, "operating_point_idc")?;
        let level = bits.read::<5, u8>("seq_level_idx")?;
        let high_tier = level > 7 && bits.read_bit("seq_tier")?;
        first.get_or_insert((level, high_tier));
        if let Some(len) = delay_len
            && bits.read_bit("decoder_model_present_for_this_op")?
        {
            bits.skip(len + len + 1, "operating_parameters_info")?;
        }
        if has_display_delay && bits.read_bit("initial_display_delay_present_for_this_op")? {
            bits.skip(4, "initial_display_delay_minus_1")?;
        }
    }
    Ok(first.unwrap_or_default())
}

/// AV1 5.5.1: from `enable_interintra_compound` to `order_hint_bits_minus_1`.
fn skip_tools(bits: &mut impl BitRead) -> Result<(), BitReaderError> {
    bits.skip(4, "enable_interintra_compound")?;
    let order_hint = bits.read_bit("enable_order_hint")?;
    if order_hint {
        bits.skip(2, "enable_jnt_comp")?;
    }
    // Chosen with each frame, or for all of them.
    let screen_content =
        bits.read_bit("seq_choose_screen_content_tools")? || bits.read_bit("seq_force_screen_content_tools")?;
    if screen_content && !bits.read_bit("seq_choose_integer_mv")? {
        bits.skip(1, "seq_force_integer_mv")?;
    }
    if order_hint {
        bits.skip(3, "order_hint_bits_minus_1")?;
    }
    Ok(())
}

/// AV1 5.5.2, as `high_bitdepth` to `chroma_sample_position` of a record.
fn colour(profile: u8, bits: &mut impl BitRead) -> Result<u8, BitReaderError> {
    /// BT.709 primaries, the transfer of sRGB, and no matrix: RGB.
    const RGB: [u8; 3] = [1, 13, 0];
    const UNSPECIFIED: [u8; 3] = [2; 3];
    let high = bits.read_bit("high_bitdepth")?;
    let twelve = profile == 2 && high && bits.read_bit("twelve_bit")?;
    let mono = profile != 1 && bits.read_bit("mono_chrome")?;
    let description = if bits.read_bit("color_description_present_flag")? {
        [bits.read::<8, u8>("color_primaries")?, bits.read::<8, u8>("transfer")?, bits.read::<8, u8>("matrix")?]
    } else {
        UNSPECIFIED
    };
    let mut position = 0;
    let (x, y) = if mono {
        (true, true)
    } else if description == RGB {
        (false, false)
    } else {
        bits.skip(1, "color_range")?;
        let subsampling = subsampling(profile, twelve, bits)?;
        if subsampling == (true, true) {
            position = bits.read::<2, u8>("chroma_sample_position")?;
        }
        subsampling
    };
    let flags = [high, twelve, mono, x, y].into_iter().fold(0, |flags, flag| flags << 1 | u8::from(flag));
    Ok(flags << 2 | position)
}

fn subsampling(profile: u8, twelve: bool, bits: &mut impl BitRead) -> Result<(bool, bool), BitReaderError> {
    Ok(match profile {
        0 => (true, true),
        1 => (false, false),
        _ if twelve => {
            let x = bits.read_bit("subsampling_x")?;
            (x, x && bits.read_bit("subsampling_y")?)
        }
        _ => (true, false),
    })
}
