//! What the control planes say of themselves on their hosts, for `verify` and `status`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures::future::join_all;
use iec_core::control_plane_health::{Answer, judge, question};
use iec_core::report::{Outcome, Row};
use iec_core::site::Site;
use iec_host::{Bounds, Fleet, Host, Privilege, Script};

/// A few lines; an API server that does not answer takes five seconds, on a slow board more.
const NUMBERS: Bounds = Bounds {
    question: "what the control plane says of itself",
    bytes: 1 << 16,
    time: Duration::from_secs(60),
};

/// Between two questions to control planes of which one was not well.
const PAUSE: Duration = Duration::from_secs(3);

/// Rows on every control plane of the site. A row that fails is asked for again for so long: members of etcd that are busy
/// lose a connection for a moment, and have it again.
pub(super) async fn control_plane_rows(site: &Site, fleet: &Fleet, patience: Duration) -> Vec<Row> {
    let began = Instant::now();
    loop {
        let rows = judge(&answers(site, fleet).await);
        let is_well = rows.iter().all(|row| !matches!(row.outcome, Outcome::Failed(_)));
        if is_well || began.elapsed() + PAUSE > patience {
            return rows;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn answers(site: &Site, fleet: &Fleet) -> BTreeMap<String, Result<Answer, String>> {
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
    join_all(asked).await.into_iter().collect()
}

async fn ask(host: &dyn Host, script: &Script) -> Result<Answer, String> {
    let answer = iec_host::ask(host, script, Privilege::Root).await;
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(Answer::read(&answer.text()))
}
