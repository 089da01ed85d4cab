// What the desk is told by the admin listener, as /api/v1/openapi.json has it. Moments are RFC 3339 in UTC; figures that are
// not known are null.

/**
 * One second of everything: GET /api/v1/desk, and each `frame` of the stream GET /api/v1/desk/stream.
 *
 * @typedef {object} Frame
 * @property {string} at
 * @property {string} node which node says so
 * @property {string} version
 * @property {'origin' | 'edge'} role
 * @property {boolean} draining
 * @property {Audience} audience
 * @property {Channel[]} channels that are live, or have been watched within the window
 * @property {Edge[]} edges whoever serves viewers, this node included
 * @property {Publisher[]} publishers
 * @property {Ladder[]} ladders
 * @property {Hint[]} hints one for each pool
 * @property {EventStatus[]} events of the calendar
 * @property {Alert[]} alerts that fire now
 * @property {Latency[]} latency of each hop, over the last minute
 */

/**
 * @typedef {object} Audience
 * @property {number} viewers distinct, over the window
 * @property {number} window_seconds
 * @property {number} standard_error of `viewers`, as a share of it; 0 where it is exact
 * @property {number} joins_per_second
 * @property {number} leaves_per_second
 * @property {Count[]} renditions
 * @property {Count[]} protocols
 * @property {Quality} quality
 */

/** @typedef {{ name: string, viewers: number }} Count */

/**
 * What players say of themselves (CTA-5004).
 *
 * @typedef {object} Quality
 * @property {number} reporting players that have said anything within the window
 * @property {Quantiles | null} startup_ms
 * @property {Quantiles | null} live_latency_ms
 * @property {Quantiles | null} throughput_kbps
 * @property {number | null} rebuffer_ratio time that pictures stood still, by the time that was watched
 * @property {number} errors_per_minute
 */

/** @typedef {{ p50: number, p95: number, p99: number, count: number }} Quantiles */

/** @typedef {Audience & { channel: string, live: boolean, thumbnail: string | null }} Channel `thumbnail`: a path of this listener */

/**
 * @typedef {object} Edge
 * @property {string} node
 * @property {number} viewers
 * @property {number} joins_per_second
 * @property {number} connections
 * @property {number} connections_limit
 * @property {number} sent_bits_per_second
 * @property {number} lag_ms how late what is due is done
 * @property {number} channels
 * @property {boolean} draining
 * @property {number} age_seconds of this report
 * @property {boolean} stale
 */

/**
 * A publisher and its feed.
 *
 * @typedef {object} Publisher
 * @property {number} id
 * @property {string} channel
 * @property {string} peer
 * @property {string} protocol
 * @property {string | null} encoder
 * @property {number} seconds
 * @property {number} bits_per_second
 * @property {number | null} audio_video_drift_milliseconds
 * @property {number} gaps
 * @property {number} stretches
 * @property {number} timestamp_jumps
 * @property {number} discarded_samples
 * @property {Record<string, number>} link what the protocol knows of the connection, by name with unit
 * @property {PublishedTrack[]} tracks
 */

/**
 * @typedef {object} PublishedTrack
 * @property {number} track
 * @property {'video' | 'audio'} kind
 * @property {string} codec
 * @property {number | null} width
 * @property {number | null} height
 * @property {number | null} bits_per_second
 * @property {number | null} frame_rate
 * @property {number | null} samples_per_second
 * @property {number | null} keyframe_interval_seconds
 * @property {number | null} drift_milliseconds
 * @property {number} gaps
 * @property {number | null} silent_milliseconds
 */

/** @typedef {{ channel: string, worker_deaths: number, rungs: Rung[] }} Ladder */

/**
 * @typedef {object} Rung
 * @property {string} name
 * @property {string | null} encoder
 * @property {boolean} resting it has been taken away, for want of time
 * @property {number} queued pictures that wait
 * @property {number} frames_in
 * @property {number} frames_out
 * @property {number} shed
 * @property {Quantiles | null} lag_ms
 */

/**
 * What a pool of nodes will need.
 *
 * @typedef {object} Hint
 * @property {string} pool
 * @property {string} at
 * @property {string} phase off, gathering, arrival, play, break, return, finish, announced or exodus
 * @property {boolean} stale nobody knows how many watch: it does not fall
 * @property {number} nodes that are needed: what an autoscaler reads
 * @property {number} nodes_now that are there
 * @property {Amounts} need
 * @property {Amounts} now
 * @property {Amounts} capacity of the nodes that are there
 * @property {'bits_per_second' | 'joins_per_second' | 'viewers' | 'cores'} binding what the most nodes are needed for
 * @property {Why[]} reasons most first: the first decides
 * @property {number} learnt_from moments of past events
 * @property {Forecast} forecast
 * @property {Override | null} surge
 * @property {Override | null} freeze
 */

/** @typedef {{ viewers: number | null, bits_per_second: number | null, joins_per_second: number | null, cores: number | null }} Amounts */
/** @typedef {{ reason: string, viewers: number }} Why reason: growth, head_room, calendar, on_air, cool_down, stale, surge or frozen */
/** @typedef {{ seconds_ahead: number, low: number, high: number }} Forecast viewers */
/** @typedef {{ factor: number | null, until: string, by: string, note: string }} Override */

/**
 * Something that people come for: PUT /api/v1/events/ID.
 *
 * @typedef {object} Event
 * @property {string} kick_off
 * @property {string} end as it is planned
 * @property {number | null} [expected_peak] viewers
 * @property {{ from: string, to: string }[]} [breaks]
 * @property {string[]} [announcements] when people are told to come
 * @property {string[]} [channels]
 */

/** @typedef {Event & { id: string, phase: string, on_air: boolean, ended: string | null }} EventStatus */

/**
 * @typedef {object} Alert
 * @property {string} rule
 * @property {'warning' | 'critical'} severity
 * @property {string | null} channel
 * @property {string | null} node
 * @property {string} since
 * @property {string} summary what is wrong
 * @property {string} advice what to do
 */

/** @typedef {{ hop: 'received' | 'encoded' | 'packaged' | 'replicated' | 'first_byte', p50_ms: number, p95_ms: number, p99_ms: number }} Latency since the access unit was received */

/**
 * What has happened: GET /api/v1/timeline?limit=N, newest first, and each `entry` of the stream.
 *
 * @typedef {object} Entry
 * @property {number} id
 * @property {string} at
 * @property {'alert' | 'cleared' | 'event' | 'override' | 'publisher' | 'ladder' | 'edge' | 'server'} kind
 * @property {'info' | 'warning' | 'critical'} severity
 * @property {string | null} channel
 * @property {string} text
 */

/**
 * What has been: GET /api/v1/desk/history?seconds=N. All series have the same length.
 *
 * @typedef {object} History
 * @property {string} from the moment of the first
 * @property {number} step_seconds
 * @property {(number | null)[]} viewers
 * @property {(number | null)[]} forecast_low what was forecast for that moment
 * @property {(number | null)[]} forecast_high
 * @property {(number | null)[]} need viewers that there has to be room for
 * @property {(number | null)[]} capacity viewers that there is room for
 * @property {(number | null)[]} joins_per_second
 * @property {(number | null)[]} live_latency_ms median
 * @property {(number | null)[]} rebuffer_ratio
 */

/**
 * GET /api/v1/session; POST with { token } logs in, DELETE logs out. Anything else answers 401 until then.
 *
 * @typedef {{ login_required: boolean, logged_in: boolean }} Login
 */

/**
 * What is asked of the listener:
 *
 * - POST /api/v1/hints/POOL/surge    { factor, minutes, note }, POST /api/v1/hints/POOL/freeze { minutes, note }
 * - DELETE /api/v1/hints/POOL/surge, DELETE /api/v1/hints/POOL/freeze
 * - PUT /api/v1/events/ID            Event; DELETE takes it away
 * - POST /api/v1/events/ID/extend    { minutes }, POST /api/v1/events/ID/end, .../surge and .../freeze as above
 * - DELETE /api/v1/publishers/ID     sends a publisher away
 * - POST /api/v1/edges/NODE/drain    leads its viewers elsewhere; DELETE lets them return
 *
 * Who is refused is told why: { error: string }.
 */

export {};
