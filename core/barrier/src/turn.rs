/// How many records one task reads or writes before others get their turn.
const RECORDS: usize = 8;

/// Gives others their turn after every few records; `done` is how many there have been. A store
/// that has the answers in memory never makes a task wait, so that a loop over many records would
/// keep its thread from requests for milliseconds.
pub async fn take_turns(done: usize) {
    if done % RECORDS == RECORDS - 1 {
        tokio::task::yield_now().await;
    }
}
