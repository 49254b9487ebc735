//! Proving to a server who we are by a password, and by answers to what it asks, where the operator wants that.

use std::sync::Arc;

use iec_core::said::said;
use iec_core::secret::Secret;
use russh::client::{AuthResult, Handle, KeyboardInteractiveAuthResponse as Answer, Prompt};
use russh::{MethodKind, MethodSet};

use super::connection::Gate;

/// How often a server may ask before it is listened to no longer.
const MOST_QUESTIONS: usize = 10;

/// Asks the operator what a server wants to know, such as a code that is valid once; `None` gives up.
pub type QuestionPrompt = Arc<dyn Fn(&LoginQuestion) -> Option<Secret<String>> + Send + Sync>;

/// What a server wants to know from who logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginQuestion {
    /// Who logs in where: `edge@10.0.0.11:22`.
    pub login: String,
    /// The server's own words.
    pub words: String,
    /// Whether the answer may be seen while it is typed.
    pub visible: bool,
}

/// What a login is answered with.
#[derive(Clone)]
pub(crate) struct Answers {
    pub password: Secret<String>,
    pub questions: Option<QuestionPrompt>,
}

/// Logs in by a password or by keyboard-interactive, whichever the server takes, and one after the other where it wants both.
/// Notes in `tried` what did not do.
pub(super) async fn log_in(
    handle: &mut Handle<Gate>,
    (address, user): (&str, &str),
    answers: &Answers,
    tried: &mut Vec<String>,
) -> bool {
    let mut remaining = match handle.authenticate_none(user).await {
        Ok(AuthResult::Success) => return true,
        Ok(AuthResult::Failure {
            remaining_methods, ..
        }) => remaining_methods,
        Err(error) => {
            tried.push(format!("password: {error}"));
            return false;
        }
    };
    let mut methods = vec![MethodKind::Password, MethodKind::KeyboardInteractive];
    if methods.iter().all(|method| !remaining.contains(method)) {
        tried.push("password: the server takes none".to_owned());
    }
    while let Some(position) = methods.iter().position(|method| remaining.contains(method)) {
        let method = methods.remove(position);
        let (name, result) = match method {
            MethodKind::Password => ("password", by_password(handle, user, answers).await),
            _ => (
                "keyboard-interactive",
                by_questions(handle, (address, user), answers).await,
            ),
        };
        match result {
            Ok(Step::Done) => return true,
            Ok(Step::More(left)) => {
                tried.push(format!("{name}: accepted, but the server wants more"));
                remaining = left;
            }
            Ok(Step::Refused(left)) => {
                tried.push(format!("{name}: not accepted"));
                remaining = left;
            }
            Err(reason) => {
                tried.push(format!("{name}: {reason}"));
                return false;
            }
        }
    }
    false
}

/// What came of one method.
enum Step {
    Done,
    /// It is right, and the server wants one of these too.
    More(MethodSet),
    /// It is not; one of these may be.
    Refused(MethodSet),
}

impl Step {
    fn of(partial: bool, remaining: MethodSet) -> Self {
        if partial {
            Self::More(remaining)
        } else {
            Self::Refused(remaining)
        }
    }
}

async fn by_password(handle: &mut Handle<Gate>, user: &str, answers: &Answers) -> Result<Step, String> {
    let result = handle
        .authenticate_password(user, answers.password.expose())
        .await;
    match result.map_err(|error| error.to_string())? {
        AuthResult::Success => Ok(Step::Done),
        AuthResult::Failure {
            remaining_methods,
            partial_success,
        } => Ok(Step::of(partial_success, remaining_methods)),
    }
}

async fn by_questions(
    handle: &mut Handle<Gate>,
    (address, user): (&str, &str),
    answers: &Answers,
) -> Result<Step, String> {
    let started = handle.authenticate_keyboard_interactive_start(user, None).await;
    let mut answer = started.map_err(|error| error.to_string())?;
    let mut password_given = false;
    for _ in 0..MOST_QUESTIONS {
        let prompts = match answer {
            Answer::Success => return Ok(Step::Done),
            Answer::Failure {
                remaining_methods,
                partial_success,
            } => return Ok(Step::of(partial_success, remaining_methods)),
            Answer::InfoRequest { prompts, .. } => prompts,
        };
        let mut responses = Vec::new();
        for prompt in &prompts {
            if asks_for_password(prompt) && !password_given {
                password_given = true;
                responses.push(answers.password.expose().to_owned());
                continue;
            }
            let question = LoginQuestion {
                login: format!("{user}@{address}"),
                words: said(prompt.prompt.trim()),
                visible: prompt.echo,
            };
            responses.push(ask(answers.questions.as_ref(), question).await?);
        }
        let responded = handle.authenticate_keyboard_interactive_respond(responses).await;
        answer = responded.map_err(|error| error.to_string())?;
    }
    Err(format!("the server asked more than {MOST_QUESTIONS} times"))
}

/// Whether the password is what a server wants to know: it calls it so, and nobody is to see the answer.
fn asks_for_password(prompt: &Prompt) -> bool {
    !prompt.echo && prompt.prompt.to_ascii_lowercase().contains("password")
}

async fn ask(questions: Option<&QuestionPrompt>, question: LoginQuestion) -> Result<String, String> {
    let words = question.words.clone();
    let Some(prompt) = questions.cloned() else {
        return Err(format!(
            "the server asks `{words}`, and nobody is there to answer"
        ));
    };
    let answer = tokio::task::spawn_blocking(move || prompt(&question)).await;
    let answer = answer.ok().flatten();
    answer
        .map(|answer| answer.expose().to_owned())
        .ok_or_else(|| format!("the server asks `{words}`, which was not answered"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_goes_only_where_it_is_asked_for_by_name() {
        let asks = |words: &str, echo| {
            asks_for_password(&Prompt {
                prompt: words.to_owned(),
                echo,
            })
        };
        assert!(asks("Password: ", false) && asks("(edge@store) password for edge:", false));
        assert!(!asks("Verification code: ", false) && !asks("Password (shown): ", true));
    }

    #[tokio::test]
    async fn a_question_that_nobody_can_answer_is_told() {
        let question = LoginQuestion {
            login: "edge@10.0.0.11:22".to_owned(),
            words: "Verification code:".to_owned(),
            visible: false,
        };
        let told = ask(None, question.clone()).await.expect_err("nobody is there");
        assert_eq!(
            told,
            "the server asks `Verification code:`, and nobody is there to answer"
        );
        let prompt: QuestionPrompt = Arc::new(|asked| Some(Secret::new(format!("for {}", asked.login))));
        assert_eq!(
            ask(Some(&prompt), question).await.as_deref(),
            Ok("for edge@10.0.0.11:22")
        );
    }
}
