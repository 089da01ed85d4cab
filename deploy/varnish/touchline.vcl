# Varnish between viewers and a Touchline server: whatever the crowd, each part and each playlist is fetched once.
#
# For Varnish 7.1 (Debian 12). Say below where the server is, and run
#
#   varnishd -F -a :80,HTTP -f $PWD/deploy/varnish/touchline.vcl -s malloc,2g \
#     -p feature=+http2 -p backend_idle_timeout=20 -p thread_pool_min=200 -p thread_pool_max=2500
#
# backend_idle_timeout: Touchline closes connections that are idle for 30 s. Threads: one for each request that is being
# answered or fetched; those that wait for the same object take none. TLS: deploy/nginx or hitch in front.
# Memory: what the whole ladder sends in a minute is enough, as what is older is asked for by few.
#
# The key is the path, and on media playlists the delivery directives in canonical order. Everything else in a query (CMCD,
# tokens, what somebody makes up) neither makes another object nor reaches the server; so do cookies and other headers.
# tests/caches.rs holds it to that; docs/caches.md has what it costs.

vcl 4.1;

import std;

backend touchline {
    .host = "127.0.0.1";
    .port = "8080";
    .connect_timeout = 1s;
    # Requests are held for up to three target durations, which is 6 s unless segments are longer.
    .first_byte_timeout = 30s;
    .between_bytes_timeout = 5s;
    # Objects that are being fetched at once: two for each rendition of each channel, and a few.
    .max_connections = 2000;
}

sub vcl_recv {
    # Nodes talk to each other there, and operators to them: it is for no viewer, should the server above listen to it.
    if (req.url ~ "^/(replicate|api|metrics|healthz|readyz)([/?]|$)") {
        return (synth(404));
    }
    # Publishers (WHIP), and players' reports (CMCD by POST): the server knows what it takes.
    if (req.url ~ "^/whip/" || (req.method != "GET" && req.method != "HEAD" && req.method != "OPTIONS")) {
        return (pass);
    }
    unset req.http.Cookie;
    unset req.http.Authorization;
    unset req.http.CMCD-Object;
    unset req.http.CMCD-Request;
    unset req.http.CMCD-Session;
    unset req.http.CMCD-Status;
    unset req.http.X-Preflight;
    if (req.method == "OPTIONS") {
        # What pages may do is the same for all of them, and browsers ask for each URL.
        set req.url = "/live/";
        set req.http.X-Preflight = "yes";
        return (hash);
    }
    if (req.url ~ "^/live/[^/?]+/[^/?]+/index\.m3u8\?") {
        call directives;
    } else if (req.url ~ "^/(|channels\.json|(live|watch|publish|assets)/[^?]*)\?") {
        set req.url = regsub(req.url, "\?.*$", "");
    }
    return (hash);
}

# Leaves of a query its delivery directives (RFC 8216bis 6.2.5), in the order of their names.
sub directives {
    # What the server refuses is refused here: unknown ones, those given twice, and numbers that are none.
    if (req.url ~ "[?&]_HLS_(?!(?:msn|part)=[0-9]{1,20}(?:&|$)|skip(?:[=&]|$))" ||
        req.url ~ "[?&](_HLS_[a-z]+)(=.*|&.*|)&\1([=&]|$)") {
        return (synth(400));
    }
    set req.http.X-Query = "";
    if (req.url ~ "[?&]_HLS_msn=") {
        set req.http.X-Query = req.http.X-Query + regsub(req.url, "^.*[?&](_HLS_msn=)0*([0-9]+).*$", "&\1\2");
    }
    if (req.url ~ "[?&]_HLS_part=") {
        set req.http.X-Query = req.http.X-Query + regsub(req.url, "^.*[?&](_HLS_part=)0*([0-9]+).*$", "&\1\2");
    }
    # RFC 8216bis 6.2.5.1: other values mean nothing.
    if (req.url ~ "[?&]_HLS_skip=(YES|v2)(&|$)") {
        set req.http.X-Query = req.http.X-Query + regsub(req.url, "^.*[?&](_HLS_skip=)(YES|v2).*$", "&\1\2");
    }
    set req.url = regsub(req.url, "\?.*$", "") + regsub(req.http.X-Query, "^&", "?");
    unset req.http.X-Query;
}

sub vcl_hash {
    # Not the host: whatever names lead here, the server behind is one.
    hash_data(req.url);
    if (req.http.X-Preflight) {
        hash_data("OPTIONS");
    }
    return (lookup);
}

sub vcl_backend_fetch {
    if (bereq.http.X-Preflight) {
        set bereq.method = "OPTIONS";
        unset bereq.http.X-Preflight;
    }
}

sub vcl_backend_response {
    if (bereq.uncacheable) {
        return (deliver);
    }
    # Nothing is served past its life: an old playlist would keep its player from the live edge.
    set beresp.grace = 0s;
    set beresp.keep = 0s;
    if (bereq.method == "OPTIONS") {
        set beresp.ttl = 1h;
        return (deliver);
    }
    if (beresp.http.Cache-Control ~ "(^|[, ])(no-store|no-cache|private)" || !beresp.http.Cache-Control) {
        # A part that was asked for too early comes in a moment, and has to be fetched once then. So there is no object that
        # says for two minutes that the part cannot be kept, as Varnish would make it by itself.
        set beresp.ttl = 0s;
        if (beresp.status == 503) {
            # All that were held as one get the answer, instead of asking one after the other.
            set beresp.ttl = 0.5s;
        }
    } else if (beresp.status >= 400) {
        # Varnish keeps a 404 by itself, and no other error.
        set beresp.ttl = std.duration(regsub(beresp.http.Cache-Control, "^.*max-age=([0-9]+).*$", "\1s"), 0s);
    }
    return (deliver);
}

sub vcl_backend_error {
    # The server does not answer: each object tries again once in a second, and not each viewer.
    set beresp.status = 503;
    set beresp.ttl = 1s;
    set beresp.grace = 0s;
    set beresp.http.Cache-Control = "no-store";
    set beresp.http.Content-Type = "application/json";
    set beresp.http.Retry-After = "1";
    set beresp.http.Access-Control-Allow-Origin = "*";
    set beresp.body = """{"error":"the server behind this cache does not answer","hint":"try again in a second"}""";
    return (deliver);
}

sub vcl_synth {
    set resp.http.Content-Type = "application/json";
    set resp.http.Cache-Control = "public, max-age=1";
    set resp.http.Access-Control-Allow-Origin = "*";
    if (resp.status == 400) {
        set resp.body = """{"error":"the delivery directives do not parse","hint":"send _HLS_msn, or _HLS_msn and _HLS_part, as plain decimal integers, each once"}""";
    } else {
        set resp.body = """{"error":"nothing is served at this path","hint":"/ lists the channels that are live"}""";
    }
    return (deliver);
}

sub vcl_deliver {
    unset resp.http.X-Varnish;
}
