"""The outside world: one machine behind the router with DNS, a web and git server, and a registry."""

import shutil
from pathlib import Path

from tests.testbed import topology
from tests.testbed.pki import Pki

NAME = "world"
UNITS = ("nginx.service", "docker-registry.service", "fcgiwrap.socket", "dnsmasq.service")
DNSMASQ = """\
[Unit]
Description=Names of the outside world
After=network.target

[Service]
ExecStart=/usr/sbin/dnsmasq --keep-in-foreground --conf-file=/etc/outside-dnsmasq.conf
"""
REGISTRY = """\
[Service]
ExecStart=
ExecStart=/usr/bin/docker-registry serve /etc/docker/registry/outside.yml
"""
NGINX = """\
user www-data;
worker_processes 1;
pid /run/nginx.pid;
events {}
http {
  include mime.types;
  access_log /var/log/nginx/access.log;
  ssl_certificate /etc/nginx/world.crt;
  ssl_certificate_key /etc/nginx/world.key;
  server {
    listen 80;
    listen 443 ssl http2;
    server_name web.outside.test;
    root /srv/outside/web;
  }
  server {
    listen 443 ssl http2;
    server_name git.outside.test;
    client_max_body_size 0;
    location / {
      include fastcgi_params;
      fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
      fastcgi_param GIT_PROJECT_ROOT /srv/outside/git;
      fastcgi_param GIT_HTTP_EXPORT_ALL "";
      fastcgi_param PATH_INFO $uri;
      fastcgi_pass unix:/run/fcgiwrap.socket;
    }
  }
  server {
    listen 443 ssl http2;
    server_name registry.outside.test;
    client_max_body_size 0;
    location / {
      proxy_pass http://127.0.0.1:5000;
      proxy_set_header Host $host;
      proxy_set_header X-Forwarded-Proto https;
    }
  }
}
"""


def furnish(root: Path, pki: Pki) -> None:
    """Put the services' configuration on the machine's root and enable them."""
    names = [f"address=/{name}/{topology.WORLD_ADDRESS}" for name in topology.WORLD_NAMES]
    settings = ["no-resolv", "no-hosts", "local=/outside.test/", "user=root", *names]
    (root / "etc/outside-dnsmasq.conf").write_text("\n".join(settings) + "\n")
    (root / "etc/nginx/nginx.conf").write_text(NGINX)
    for kind in ("crt", "key"):
        shutil.copy(pki.path("world", kind), root / f"etc/nginx/world.{kind}")
    units = root / "etc/systemd/system"
    (units / "dnsmasq.service").write_text(DNSMASQ)
    drop_in = units / "docker-registry.service.d"
    drop_in.mkdir(exist_ok=True)
    (drop_in / "outside.conf").write_text(REGISTRY)
    wants = units / "multi-user.target.wants"
    for unit in UNITS:
        home = "/etc/systemd/system" if unit == "dnsmasq.service" else "/lib/systemd/system"
        (wants / unit).symlink_to(f"{home}/{unit}")


def trust(root: Path, pki: Pki) -> None:
    """Have a machine trust the outside world's certificates, beside those it trusts already."""
    bundle = root / "etc/ssl/certs/ca-certificates.crt"
    bundle.write_text(bundle.read_text() + pki.ca.read_text())
