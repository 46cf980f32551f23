"""The pages of proxies in front of a service, for a service that does not answer in time.

The proxy passed the request on: the service may have processed it, so a job may exist. The pages are
shortened.
"""

from __future__ import annotations

from airflow_provider_twinsync.emulator.faults import AcceptThenHttpError

FRONT_ENDS = {
    "varnish": AcceptThenHttpError(
        503,
        body="<!DOCTYPE html><html><head><title>503 Backend fetch failed</title></head><body>"
        "<h1>Error 503 Backend fetch failed</h1><p>Backend fetch failed</p><h3>Guru Meditation:</h3>"
        "<p>XID: 32770</p><hr><p>Varnish cache server</p></body></html>",
    ),
    "fastly": AcceptThenHttpError(
        503,
        body="<html><head><title>503 first byte timeout</title></head><body><h1>Error 503 first byte timeout"
        "</h1><p>first byte timeout</p><h3>Error 54113</h3><p>Details: cache-fra-etou8220052-FRA</p><hr>"
        "<p>Varnish cache server</p></body></html>",
    ),
    "heroku": AcceptThenHttpError(
        503,
        body="<!DOCTYPE html><html><head><title>Application Error</title></head><body>"
        '<iframe src="//www.herokucdn.com/error-pages/application-error.html"></iframe></body></html>',
    ),
    "azure": AcceptThenHttpError(
        503,
        body="<html><head><title>Service Unavailable</title></head><body><h2>Our services aren't available "
        "right now</h2><p>We're working to restore all services as soon as possible. Please check back soon."
        "</p>0ZxY5ZwAAAAB</body></html>",
    ),
    "cloud_run": AcceptThenHttpError(
        503,
        retry_after_s=30,
        body="<html><head><title>503 Server Error</title></head><body><h1>Error: Server Error</h1><h2>The "
        "service you requested is not available yet.<p>Please try again in 30 seconds.</h2></body></html>",
    ),
    "envoy": AcceptThenHttpError(
        503,
        body="upstream connect error or disconnect/reset before headers. reset reason: connection timeout",
    ),
    "aws_alb": AcceptThenHttpError(
        504,
        body="<html><head><title>504 Gateway Time-out</title></head><body><center><h1>504 Gateway Time-out"
        "</h1></center></body></html>",
    ),
    "nginx": AcceptThenHttpError(
        502,
        body="<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1>"
        "</center><hr><center>nginx</center></body></html>",
    ),
}
"""Faults with the pages of well-known front ends, by name."""
