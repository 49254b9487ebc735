//! An API server with a clock of its own that knows one Lease, for tests.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use crate::cluster::Cluster;

/// The server; its clones are the same one.
#[derive(Clone)]
pub(crate) struct FakeApi(Arc<Mutex<State>>);

struct State {
    now: Timestamp,
    lease: Option<Value>,
    version: u64,
    /// Who writes the Lease just before the next one who does.
    intruder: Option<String>,
    /// How many of the next requests fail.
    failing: u32,
}

impl FakeApi {
    /// A server whose clock stands at `now`.
    pub(crate) fn at(now: Timestamp) -> Self {
        Self(Arc::new(Mutex::new(State {
            now,
            lease: None,
            version: 0,
            intruder: None,
            failing: 0,
        })))
    }

    /// A cluster of this server.
    pub(crate) fn cluster(&self) -> Cluster {
        let state = Arc::clone(&self.0);
        let service = service_fn(move |request: Request<Body>| {
            let state = Arc::clone(&state);
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.expect("a body").to_bytes();
                let mut state = state.lock().expect("not poisoned");
                Ok::<_, Infallible>(state.answer(&parts.method, &body))
            }
        });
        Cluster::of_client(Client::new(service, "default"))
    }

    /// Lets so many seconds pass.
    pub(crate) fn passes(&self, seconds: i64) {
        let mut state = self.0.lock().expect("not poisoned");
        state.now += SignedDuration::from_secs(seconds);
    }

    /// Lets somebody write the Lease between the next reading and the writing that follows.
    pub(crate) fn before_the_next_write(&self, holder: &str) {
        self.0.lock().expect("not poisoned").intruder = Some(holder.to_owned());
    }

    /// Lets so many of the next requests fail.
    pub(crate) fn fails(&self, requests: u32) {
        self.0.lock().expect("not poisoned").failing = requests;
    }

    /// The Lease; null where there is none.
    pub(crate) fn lease(&self) -> Value {
        self.0
            .lock()
            .expect("not poisoned")
            .lease
            .clone()
            .unwrap_or_default()
    }
}

impl State {
    fn answer(&mut self, method: &Method, body: &[u8]) -> Response<String> {
        if self.failing > 0 {
            self.failing -= 1;
            return self.status(StatusCode::SERVICE_UNAVAILABLE);
        }
        if method == Method::GET {
            return match self.lease.clone() {
                Some(lease) => self.says(StatusCode::OK, &lease),
                None => self.status(StatusCode::NOT_FOUND),
            };
        }
        if let Some(intruder) = self.intruder.take() {
            let now = format!("{:.6}", self.now);
            self.store(json!({
                "metadata": {"name": "iec-operator", "namespace": "kube-system"},
                "spec": {
                    "holderIdentity": intruder, "leaseDurationSeconds": 60, "acquireTime": now, "renewTime": now,
                },
            }));
        }
        let given: Value = serde_json::from_slice(body).expect("JSON");
        let known = self
            .lease
            .as_ref()
            .map(|lease| lease["metadata"]["resourceVersion"].clone());
        let wanted = if method == Method::DELETE {
            &given["preconditions"]["resourceVersion"]
        } else {
            &given["metadata"]["resourceVersion"]
        };
        let fits = known.clone().unwrap_or_default() == *wanted;
        match (method.as_str(), fits) {
            ("POST", _) if known.is_some() => self.status(StatusCode::CONFLICT),
            ("PUT" | "DELETE", _) if known.is_none() => self.status(StatusCode::NOT_FOUND),
            ("PUT" | "DELETE", false) => self.status(StatusCode::CONFLICT),
            ("DELETE", true) => {
                self.lease = None;
                self.says(StatusCode::OK, &json!({"kind": "Status", "status": "Success"}))
            }
            _ => {
                self.store(given);
                let lease = self.lease.clone().unwrap_or_default();
                self.says(StatusCode::OK, &lease)
            }
        }
    }

    fn store(&mut self, mut lease: Value) {
        self.version += 1;
        lease["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.lease = Some(lease);
    }

    fn status(&self, code: StatusCode) -> Response<String> {
        let reason = code.canonical_reason().unwrap_or_default();
        let status = json!({
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason, "reason": reason,
            "code": code.as_u16(),
        });
        self.says(code, &status)
    }

    fn says(&self, code: StatusCode, value: &Value) -> Response<String> {
        Response::builder()
            .status(code)
            .header(
                http::header::DATE,
                self.now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
            )
            .body(value.to_string())
            .expect("a response")
    }
}
