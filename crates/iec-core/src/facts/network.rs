//! Interfaces, routes, listeners, name resolution and time.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use super::Ability;

/// Interfaces, addresses and routes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Network {
    /// The interfaces, in the kernel's order.
    pub interfaces: Vec<Interface>,
    /// The routes of the main table, both families.
    pub routes: Vec<Route>,
}

/// One interface.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its hardware address, if it has one.
    pub mac: Option<String>,
    /// The largest packet in bytes.
    pub mtu: u32,
    /// `UP`, `DOWN`, `UNKNOWN`, `LOWERLAYERDOWN`.
    pub state: String,
    /// Its addresses with their prefix lengths.
    pub addresses: Vec<IpNet>,
}

/// One route of the main table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Route {
    /// Where it leads; a prefix length of 0 is the default route.
    pub destination: IpNet,
    /// `unicast`, `blackhole`, `unreachable`, `prohibit`, `local`, `broadcast`.
    pub kind: String,
    /// The next hop, unless the destination is on the link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<IpAddr>,
    /// The interface, unless the route leads nowhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The metric; the least one wins.
    #[serde(default)]
    pub metric: u32,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
}

/// A socket that waits for clients.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Its protocol.
    pub protocol: Protocol,
    /// The address that it is bound to; `*` is any.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// The program, if the kernel told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// Its process number, if the kernel told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// Name resolution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resolver {
    /// The name servers of `/etc/resolv.conf`, in order.
    pub nameservers: Vec<String>,
    /// The search domains of `/etc/resolv.conf`, in order.
    pub search: Vec<String>,
    /// The options of `/etc/resolv.conf`, in order.
    pub options: Vec<String>,
    /// The name servers that systemd-resolved asks (`/run/systemd/resolve/resolv.conf`); empty without it.
    pub upstream: Vec<String>,
    /// What the real name servers said when they were asked.
    pub answers: Vec<ResolverAnswer>,
    /// The lines of `/etc/hosts`, in order.
    pub host_names: Vec<String>,
}

/// What one name server said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResolverAnswer {
    /// Its address.
    pub server: String,
    /// Whether it answers over UDP.
    pub udp: Ability,
    /// Whether it answers over TCP, as large answers need it.
    pub tcp: Ability,
}

/// The time on the host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Clock {
    /// Milliseconds since 1970 when the probe began, by the host's clock.
    pub now_millis: i64,
    /// Milliseconds since 1970 when the probe ended, by the host's clock.
    pub ended_millis: i64,
    /// Whether the clock follows a time server; `None` if nobody on the host knows.
    pub synchronised: Option<bool>,
    /// The service that keeps the clock: `systemd-timesyncd.service`.
    pub service: Option<String>,
    /// Seconds since 1970 by the hardware clock; `None` without one.
    pub hardware: Option<i64>,
    /// How far the host is ahead of the operator's clock in milliseconds; whoever ran the probe fills it in.
    pub skew_millis: Option<i64>,
}

impl Clock {
    /// Fills in how far the host is ahead of the operator, whose clock said `asked` before the probe was sent and
    /// `answered` when its answer was there, both in milliseconds since 1970.
    ///
    /// The probe ran between the two. That leaves a range, as wide as the connection is slow; the least difference in it
    /// is taken, so that a slow connection is never mistaken for a wrong clock.
    pub const fn compare(&mut self, asked: i64, answered: i64) {
        let least = self.ended_millis.saturating_sub(answered);
        let most = self.now_millis.saturating_sub(asked);
        self.skew_millis = Some(if least > 0 {
            least
        } else if most < 0 {
            most
        } else {
            0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn a_slow_connection_is_no_wrong_clock() {
        let mut clock = Clock {
            now_millis: 100_000,
            ended_millis: 100_200,
            ..Clock::default()
        };
        for (asked, answered, skew) in [
            (99_990, 100_210, 0),
            (90_000, 100_210, 0),
            (99_990, 110_000, 0),
            (39_990, 40_210, 59_990),
            (160_000, 160_220, -60_000),
        ] {
            clock.compare(asked, answered);
            assert_eq!(clock.skew_millis, Some(skew), "{asked} {answered}");
        }
    }
}
