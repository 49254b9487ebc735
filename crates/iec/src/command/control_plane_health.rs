//! What the control planes say of themselves on their hosts, for `verify` and `status`.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use iec_core::control_plane_health::{Answer, judge, question};
use iec_core::report::Row;
use iec_core::site::Site;
use iec_host::{Bounds, Fleet, Host, Privilege, Script};

/// A few lines; an API server that does not answer takes five seconds, on a slow board more.
const NUMBERS: Bounds = Bounds {
    question: "what the control plane says of itself",
    bytes: 1 << 16,
    time: Duration::from_secs(60),
};

/// Rows on every control plane of the site.
pub(super) async fn control_plane_rows(site: &Site, fleet: &Fleet) -> Vec<Row> {
    let asked = site.control_planes().map(|host| async move {
        let name = host.name().to_string();
        let answer = match fleet.host(&name) {
            Some(reached) => {
                ask(
                    reached.as_ref(),
                    &Script::new(question(site, host).statement(""), NUMBERS),
                )
                .await
            }
            None => Err("the host is not asked".to_owned()),
        };
        (name, answer)
    });
    let answers: BTreeMap<String, Result<Answer, String>> = join_all(asked).await.into_iter().collect();
    judge(&answers)
}

async fn ask(host: &dyn Host, script: &Script) -> Result<Answer, String> {
    let answer = iec_host::ask(host, script, Privilege::Root).await;
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(Answer::read(&answer.text()))
}
