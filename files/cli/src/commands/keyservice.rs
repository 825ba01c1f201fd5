use files_sops::Failure;
use files_sops::keyservice::{Address, Job, Verb, listen};
use tokio::sync::mpsc;

use crate::session::{Session, Stop};
use crate::{complain, prompt};

/// So many questions wait while one is answered.
const WAITING_MAX: usize = 64;

/// Answers key questions of other processes, one at a time, until it is interrupted.
pub(crate) fn run(session: &Session) -> Result<u8, Stop> {
    let flag = |names: [&str; 2], default| {
        names.into_iter().find_map(|name| session.flags.value(name)).unwrap_or(default)
    };
    let network = flag(["network", "net"], "tcp");
    let address = Address::new(network, flag(["address", "addr"], "127.0.0.1:5000"))?;
    let (jobs, mut waiting) = mpsc::channel(WAITING_MAX);
    let listening = std::thread::scope(|scope| {
        let listener = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let ready = |address: &Address| complain(&format!("Listening on {address}"));
            runtime.block_on(listen(&address, jobs, ready))
        });
        // Keys may ask servers and people, for which there is no place among the connections.
        while let Some(job) = waiting.blocking_recv() {
            answer(session, job);
        }
        listener.join()
    });
    match listening {
        Ok(Ok(())) => Ok(0),
        Ok(Err(error)) => Err(Stop::usage(format!("{address} cannot be listened on: {error}"))),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn answer(session: &Session, Job { question, reply }: Job) {
    let verb = match question.verb {
        Verb::Decrypt => "decrypt",
        Verb::Encrypt => "encrypt",
    };
    let asked = format!("Received request to {verb} with {}. Respond to request?", question.key());
    // The person's identities may be others by now.
    session.surroundings.identities.forget();
    let answer = match session.flags.on("prompt") && !prompt::confirmed(&asked) {
        true => Err(Failure::invalid("Request rejected by user")),
        false => question.answer(&session.surroundings),
    };
    // Whoever asked may have gone.
    let _ = reply.send(answer);
}
