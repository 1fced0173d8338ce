//! Hoarders: take producer ids, many at a time and more than one block of them, and never write. No id is given twice
//! (C14).

use super::Street;
use super::chance::Chance;
use super::connection::Connections;
use super::purpose::{Answered, Purpose};
use super::ration::Ration;
use rust_mq_core::limits::PRODUCER_ID_BLOCK;
use rust_mq_proto::kafka::api::init_producer_id::InitProducerIdRequest;
use rust_mq_proto::kafka::api::{ApiKey, ResponseBody};

/// Requests at a time.
const AT_A_TIME: u64 = 100;

/// A hoarder.
#[derive(Debug)]
pub struct Hoarder {
    left: Ration,
    taken: i64,
}

impl Hoarder {
    /// One who takes so often.
    pub fn new(operations: u32) -> Hoarder {
        Hoarder { left: Ration::of(operations), taken: 0 }
    }

    /// Stops.
    pub fn calm(&mut self) {
        self.left.end();
    }

    /// Takes some more.
    pub fn act(&mut self, connections: &mut Connections, chance: &mut Chance, street: &mut Street<'_>) {
        if !self.left.take() {
            return;
        }
        let site = connections.anyone(&mut chance.whom);
        for _ in 0..chance.of(ApiKey::InitProducerId).between(1, AT_A_TIME) {
            let request = InitProducerIdRequest { transactional_id: None, ..Default::default() };
            connections.request(site, &request, Purpose::Identity, street);
        }
    }

    /// An answer, or the loss of one.
    pub fn settle(&mut self, answered: &Answered, street: &mut Street<'_>) {
        if let Some(ResponseBody::InitProducerId(response)) = &answered.body
            && response.error_code == 0
        {
            street.ids.given(response.producer_id, street.verdict);
            *street.completed += 1;
            self.taken += 1;
            if self.taken == PRODUCER_ID_BLOCK {
                street.marks.hit("client.took_a_block_of_producer_ids");
            }
        }
    }
}
