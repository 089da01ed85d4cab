//! `touchline-loadtest feed`: a moving test picture with clocks, pushed over RTMP by a real encoder.

mod encoder;
mod options;
mod schedule;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::{Instant, sleep, sleep_until};

pub use options::{Bitrate, FrameRate, Gop, Options, Size};

use crate::test_card::TestCard;
use crate::{Error, stop};
use encoder::Encoder;
use schedule::Schedule;

/// Pause before a new attempt when the server went away.
const RECONNECT_AFTER: Duration = Duration::from_secs(1);
/// ffmpeg takes its first picture before it connects, keeps two waiting, and goes on when the server has accepted the stream.
const FRAMES_BEFORE_CONNECTED: u64 = 4;
/// Time between two progress lines.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// Feeds until SIGINT or SIGTERM; with `--once`, until the server goes away, which is then an error.
pub async fn run(options: &Options) -> Result<(), Error> {
    let mut card = TestCard::new(options.size.width, options.size.height, options.caption());
    let mut stop = std::pin::pin!(stop::signal()?);
    println!("feed: {options}");
    loop {
        let mut encoder = Encoder::start(options)?;
        println!("feed: connecting to {}", options.shown_url());
        let ended = tokio::select! {
            biased;
            () = &mut stop => {
                println!("feed: stopping");
                return encoder.finish().await;
            }
            ended = play(&mut card, &mut encoder, options) => ended,
        };
        let gone = match ended {
            Ended::EncoderGone => encoder.reason().await?,
            Ended::TooSlow => Error::TooSlow(schedule::MAX_BEHIND),
        };
        if options.once {
            return Err(gone);
        }
        println!("feed: {gone}; trying again in {} s", RECONNECT_AFTER.as_secs());
        tokio::select! {
            () = &mut stop => return Ok(()),
            () = sleep(RECONNECT_AFTER) => {}
        }
    }
}

/// Why no more frames are written.
enum Ended {
    EncoderGone,
    TooSlow,
}

/// Draws and writes frames by the wall clock for as long as the encoder takes them in time.
async fn play(card: &mut TestCard, encoder: &mut Encoder, options: &Options) -> Ended {
    let mut schedule = Schedule::new(options.frame_rate, Instant::now());
    let mut report_at = Instant::now() + PROGRESS_EVERY;
    loop {
        let number = schedule.written();
        sleep_until(schedule.due()).await;
        if encoder.write(card.draw(unix_ms(), number)).await.is_err() {
            return Ended::EncoderGone;
        }
        let now = Instant::now();
        let in_time = schedule.wrote(now);
        if schedule.written() == FRAMES_BEFORE_CONNECTED {
            println!("feed: publishing to {}", options.shown_url());
            // Frames that make up for the time it took to connect would reach the server in a burst.
            schedule.restart(now);
            report_at = now + PROGRESS_EVERY;
        } else if !in_time && schedule.written() > FRAMES_BEFORE_CONNECTED {
            return Ended::TooSlow;
        }
        if now >= report_at {
            println!("feed: {}", schedule.progress(PROGRESS_EVERY));
            report_at += PROGRESS_EVERY;
        }
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
