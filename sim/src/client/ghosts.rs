//! What a producer was in the epochs that it has left, and what it still sends as such: so does one whose pause was taken
//! for its end, while another goes on under its id (KIP-98, KIP-360). Where the next epoch has written this is to be
//! refused, and to appear nowhere (C8); where it has not, nobody can know.
//!
//! It waits for no answer: whether such a batch is in a log is seen by whoever reads it.

use super::Street;
use super::connection::Connections;
use super::draft::{self, Order};
use super::purpose::Purpose;
use crate::claims::ledger::{Author, Shelf};
use crate::dice::Dice;
use rust_mq_proto::kafka::api::produce::{PartitionProduceData, ProduceRequest, TopicProduceData};
use std::collections::BTreeMap;

/// For each partition the last epoch that was left, and the sequence that would come next.
#[derive(Debug, Default)]
pub struct Ghosts(BTreeMap<Shelf, (Author, i32)>);

impl Ghosts {
    /// An epoch is left.
    pub fn leave(&mut self, shelf: Shelf, author: Author, next_sequence: i32) {
        self.0.insert(shelf, (author, next_sequence));
    }

    /// Sends a batch of the epoch that was left, once.
    pub fn haunt(
        &mut self,
        order: Order<'_>,
        site: usize,
        connections: &mut Connections,
        dice: &mut Dice,
        street: &mut Street<'_>,
    ) {
        let shelf = order.shelf;
        let Some(author) = self.0.remove(&shelf) else { return };
        let draft = draft::write(Order { author: Some(author), ..order }, dice, street);
        let data = PartitionProduceData { index: shelf.partition, records: Some(draft.bytes) };
        let name = order.topic.name.clone();
        let topic = TopicProduceData { name, topic_id: shelf.topic, partition_data: vec![data] };
        let request =
            ProduceRequest { transactional_id: None, acks: -1, timeout_ms: 30_000, topic_data: vec![topic] };
        if connections.request(site, &request, Purpose::Nothing, street) {
            street.marks.hit("client.came_back_in_an_epoch_it_had_left");
        }
    }
}
