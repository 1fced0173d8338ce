//! What the machines ask nodes, and what comes back: messages of the service, each call by its own name.

use super::error::Error;
use rust_mq_proto::grpc;

/// Ties an answer to its question. Never given twice by one machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// Gives out tickets.
#[derive(Clone, Debug, Default)]
pub struct Tickets(u64);

impl Tickets {
    /// The next.
    pub(crate) fn next(&mut self) -> Ticket {
        self.0 += 1;
        Ticket(self.0)
    }
}

macro_rules! calls {
    ($($name:ident: $asked:ident -> $answer:ident, $what:literal;)*) => {
        /// What is asked.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Question {
            $(#[doc = $what] $name(grpc::$asked),)*
        }

        /// What is answered.
        #[derive(Clone, Debug, PartialEq)]
        pub enum Answer {
            $(#[doc = $what] $name(grpc::$answer),)*
        }

        $(impl From<grpc::$asked> for Question {
            fn from(asked: grpc::$asked) -> Question {
                Question::$name(asked)
            }
        }

        impl From<grpc::$answer> for Answer {
            fn from(answer: grpc::$answer) -> Answer {
                Answer::$name(answer)
            }
        })*
    };
}

calls! {
    Topics: GetTopicMetadataRequest -> GetTopicMetadataResponse, "Who leads the partitions of topics.";
    Identity: InitProducerIdRequest -> InitProducerIdResponse, "To be an idempotent producer.";
    Offsets: ListOffsetsRequest -> ListOffsetsResponse, "The first offset, the last, or that of a time.";
    Fetch: FetchRequest -> FetchResponse, "Records.";
    Coordinator: FindCoordinatorRequest -> FindCoordinatorResponse, "Who coordinates a group.";
    Join: JoinGroupRequest -> JoinGroupResponse, "To be a member.";
    Sync: SyncGroupRequest -> SyncGroupResponse, "What was shared out.";
    Heartbeat: HeartbeatRequest -> HeartbeatResponse, "That a member is there.";
    Leave: LeaveGroupRequest -> LeaveGroupResponse, "That a member goes.";
    Commit: CommitOffsetRequest -> CommitOffsetResponse, "To keep how far a group has come.";
    Committed: FetchOffsetRequest -> FetchOffsetResponse, "How far a group has come.";
}

/// What came of a question.
pub type Answered = Result<Answer, Error>;
