//! A host that does nothing: a test says what it answers.

use std::sync::Mutex;

use futures::future::{BoxFuture, FutureExt};
use iec_host::{Ending, Host, Outcome, Payload, Privilege, Script};

/// What a fake host answers to a script: lines of output, and the end.
pub type FakeAnswer = (Vec<String>, Outcome);

/// A host that answers by a function of the test's, and remembers what it was asked.
pub struct FakeHost {
    name: String,
    answer: Box<dyn Fn(&str) -> FakeAnswer + Send + Sync>,
    scripts: Mutex<Vec<String>>,
    payloads: Mutex<Vec<u64>>,
}

impl FakeHost {
    /// A host called `name` that answers each script's text by `answer`, and takes every payload.
    pub fn new(name: &str, answer: impl Fn(&str) -> FakeAnswer + Send + Sync + 'static) -> Self {
        Self {
            name: name.to_owned(),
            answer: Box::new(answer),
            scripts: Mutex::default(),
            payloads: Mutex::default(),
        }
    }

    /// These lines, and exit status 0.
    #[must_use]
    pub fn says(lines: &[&str]) -> FakeAnswer {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        (lines, Outcome::new(Ending::Exited(0), String::new()))
    }

    /// The scripts that it was given.
    ///
    /// # Panics
    /// Where an answer has panicked before.
    pub fn scripts(&self) -> Vec<String> {
        self.scripts.lock().expect("no answer has panicked").clone()
    }

    /// The sizes of the payloads that it was given, in bytes.
    ///
    /// # Panics
    /// Where an answer has panicked before.
    pub fn payloads(&self) -> Vec<u64> {
        self.payloads.lock().expect("no answer has panicked").clone()
    }
}

impl Host for FakeHost {
    fn name(&self) -> &str {
        &self.name
    }

    fn run<'a>(
        &'a self,
        script: &'a Script,
        _: Privilege,
        sink: &'a mut (dyn FnMut(&str) + Send),
    ) -> BoxFuture<'a, Outcome> {
        async move {
            self.scripts
                .lock()
                .expect("no answer has panicked")
                .push(script.text().to_owned());
            let (lines, outcome) = (self.answer)(script.text());
            for line in lines {
                sink(&line);
                tokio::task::yield_now().await;
            }
            outcome
        }
        .boxed()
    }

    fn put<'a>(
        &'a self,
        payload: Payload,
        progress: &'a mut (dyn FnMut(u64) + Send),
    ) -> BoxFuture<'a, Outcome> {
        async move {
            progress(payload.bytes());
            self.payloads
                .lock()
                .expect("no answer has panicked")
                .push(payload.bytes());
            Outcome::new(Ending::Exited(0), String::new())
        }
        .boxed()
    }
}
