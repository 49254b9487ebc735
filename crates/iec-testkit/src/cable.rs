//! A network cable between a test and a server, which can be cut or go silent.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What the cable does with what goes through it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Whole,
    /// Nothing goes through, and nobody is told.
    Silent,
    /// Connections end.
    Cut,
}

/// Forwards a local port to a server until it is cut.
#[derive(Debug)]
pub struct Cable {
    address: SocketAddr,
    state: watch::Sender<State>,
    connections: Arc<AtomicU64>,
    carried: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Cable {
    /// A cable to the port `server` of this machine.
    ///
    /// # Panics
    /// Where no local port can be had.
    pub async fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a local port");
        let address = listener.local_addr().expect("its address");
        let (state, seen) = watch::channel(State::Whole);
        let connections = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&connections);
        let carried = Arc::new(AtomicU64::new(0));
        let to_server = Arc::clone(&carried);
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::Relaxed);
                let seen = seen.clone();
                let to_server = Arc::clone(&to_server);
                tokio::spawn(async move {
                    if let Ok(far) = TcpStream::connect(("127.0.0.1", server)).await {
                        let (near_read, near_write) = near.into_split();
                        let (far_read, far_write) = far.into_split();
                        let back = AtomicU64::new(0);
                        tokio::join!(
                            carry(near_read, far_write, seen.clone(), &to_server),
                            carry(far_read, near_write, seen, &back)
                        );
                    }
                });
            }
        });
        Self {
            address,
            state,
            connections,
            carried,
            task,
        }
    }

    /// The local port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections there have been.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// How many bytes have gone to the server.
    #[must_use]
    pub fn carried(&self) -> u64 {
        self.carried.load(Ordering::Relaxed)
    }

    /// Lets nothing through any more, without a word to either side.
    pub fn silence(&self) {
        self.state.send_replace(State::Silent);
    }

    /// Ends all connections, present and future.
    pub fn cut(&self) {
        self.state.send_replace(State::Cut);
    }

    /// Makes the cable whole again, for connections to come.
    pub fn mend(&self) {
        self.state.send_replace(State::Whole);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Carries bytes one way.
async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    carried: &AtomicU64,
) {
    let mut buffer = vec![0; 64 << 10];
    let is_cut = |state: &State| *state == State::Cut;
    let mut silence = state.clone();
    loop {
        let length = tokio::select! {
            () = async { drop(state.wait_for(is_cut).await) } => return,
            read = from.read(&mut buffer) => read.unwrap_or(0),
        };
        if *silence.borrow() == State::Silent {
            drop(silence.wait_for(|state| *state != State::Silent).await);
            return;
        }
        if length == 0 || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
        carried.fetch_add(length as u64, Ordering::Relaxed);
    }
}
