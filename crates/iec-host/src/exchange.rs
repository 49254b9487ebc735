//! A few bytes sent from a host to an address, and what came back: how a host is asked to fetch something.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// The most bytes of an answer that are kept; what comes after them is not read.
const MOST: u64 = 64 * 1024;

/// What came of an exchange.
#[derive(Debug)]
pub enum Exchange {
    /// All bytes until the other side closed, at most 64 KiB.
    Answer(Vec<u8>),
    /// The host tried, and there was no answer: refused, unreachable, too late.
    NoAnswer(String),
    /// The host could not be asked to try, for this reason.
    CouldNotTell(String),
}

/// Sends `bytes` and reads until the other side closes.
pub(crate) async fn over(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    bytes: &[u8],
) -> std::io::Result<Vec<u8>> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    stream.take(MOST).read_to_end(&mut answer).await?;
    Ok(answer)
}

/// The same with a deadline over all of it, `connect` included; what goes wrong on the way is no answer.
pub(crate) async fn within<S: AsyncRead + AsyncWrite + Unpin>(
    to: SocketAddr,
    deadline: Duration,
    bytes: &[u8],
    connect: impl Future<Output = Result<S, Exchange>>,
) -> Exchange {
    let work = async {
        match connect.await {
            Ok(stream) => match over(stream, bytes).await {
                Ok(answer) if answer.is_empty() => Exchange::NoAnswer(format!("{to} closed without a word")),
                Ok(answer) => Exchange::Answer(answer),
                Err(error) => Exchange::NoAnswer(format!("{to}: {error}")),
            },
            Err(end) => end,
        }
    };
    let late = || {
        Exchange::NoAnswer(format!(
            "{to} did not answer within {:.1} s",
            deadline.as_secs_f64()
        ))
    };
    timeout(deadline, work).await.unwrap_or_else(|_| late())
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    async fn ask(to: SocketAddr, milliseconds: u64) -> Exchange {
        let connect = async {
            TcpStream::connect(to)
                .await
                .map_err(|error| Exchange::NoAnswer(error.to_string()))
        };
        within(to, Duration::from_millis(milliseconds), b"hello", connect).await
    }

    #[tokio::test]
    async fn an_answer_is_all_that_comes_until_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = [0; 5];
            stream.read_exact(&mut asked).await.unwrap();
            stream.write_all(b"you said ").await.unwrap();
            stream.write_all(&asked).await.unwrap();
        };
        let (answer, ()) = tokio::join!(ask(to, 5_000), server);
        assert!(matches!(answer, Exchange::Answer(bytes) if bytes == b"you said hello"));
    }

    #[tokio::test]
    async fn silence_and_a_closed_port_are_no_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let to = listener.local_addr().unwrap();
        assert!(matches!(ask(to, 50).await, Exchange::NoAnswer(said) if said.contains("within 0.1 s")));
        drop(listener);
        assert!(matches!(ask(to, 5_000).await, Exchange::NoAnswer(said) if said.contains("refused")));
    }
}
