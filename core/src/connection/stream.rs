//! Delimits requests: a length of four bytes, big-endian and signed, then as many bytes of request.
//!
//! ```text
//! head   [len request, still incomplete or just completed ]    own buffer, copied
//! rest                                     [len request][len request][len req   one Received, not copied
//! ```
//! `head` exists only for a request that spans reads. What is left of a read after its last whole request
//! moves into `head` at once, so that some bytes do not pin a whole buffer until the next read.
//!
//! `head` grows in long steps: each is memory that nothing was written to yet, and moves all that has arrived.
//!
//! Invariants: `rest` is empty unless `head` is empty or whole; `capacity of head <= max(HEAD_BYTES_MIN,
//! HEAD_GROWTH times what arrived of it)`; a yielded request has at most `request_bytes_max` bytes.

use bytes::{Buf, BytesMut};

/// Bytes of the length before each request.
pub(super) const PREFIX_BYTES: usize = 4;

/// A head smaller than this is given its whole length at once (chosen: most spanning requests then move once).
const HEAD_BYTES_MIN: usize = 4 << 10;

/// How far a head's memory may be ahead of what has arrived of it. Source: chosen, so that a request of a
/// mebibyte, of which the first read has brought 64 KiB, moves at most once. At the edge: it moves again.
const HEAD_GROWTH: usize = 16;

/// Bytes that have arrived and were not yet taken up.
#[derive(Debug)]
pub(super) struct Stream {
    head: BytesMut,
    rest: BytesMut,
    rest_buffer_bytes: usize,
    request_bytes_max: usize,
}

/// A length that no request can have: the stream cannot be followed any further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a request of {declared} bytes was announced, the most is {most}")]
pub(super) struct BadLength {
    declared: i32,
    most: usize,
}

/// A whole request and the size of the buffer it lies in.
pub(super) type Whole = (BytesMut, usize);

impl Stream {
    /// Nothing yet, of requests of at most so many bytes.
    pub fn new(request_bytes_max: usize) -> Stream {
        Stream { head: BytesMut::new(), rest: BytesMut::new(), rest_buffer_bytes: 0, request_bytes_max }
    }

    /// Takes in what arrived.
    pub fn arrive(&mut self, mut bytes: BytesMut) {
        self.fill_head(&mut bytes);
        if self.rest.is_empty() {
            self.rest_buffer_bytes = bytes.capacity();
            self.rest = bytes;
        } else if !bytes.is_empty() {
            self.rest.extend_from_slice(&bytes);
            self.rest_buffer_bytes = self.rest_buffer_bytes.max(self.rest.capacity());
        }
    }

    /// The next whole request, without its length.
    pub fn take(&mut self) -> Result<Option<Whole>, BadLength> {
        if !self.head.is_empty() {
            return Ok(match self.total(&self.head)? {
                Some(total) if self.head.len() == total => Some(whole(std::mem::take(&mut self.head))),
                _ => None,
            });
        }
        match self.total(&self.rest)? {
            Some(total) if self.rest.len() == total => {
                let (bytes, _) = whole(std::mem::take(&mut self.rest));
                Ok(Some((bytes, self.rest_buffer_bytes)))
            }
            Some(total) if self.rest.len() > total => {
                let (bytes, _) = whole(self.rest.split_to(total));
                Ok(Some((bytes, self.rest_buffer_bytes)))
            }
            _ => {
                self.start_head();
                Ok(None)
            }
        }
    }

    /// Bytes that have arrived and were not yet taken up.
    pub fn len(&self) -> usize {
        self.head.len() + self.rest.len()
    }

    /// Whether `take` would give a request, or refuse one.
    pub fn is_ready(&self) -> bool {
        let first = self.first();
        match self.total(first) {
            Ok(Some(total)) => first.len() >= total,
            Ok(None) => false,
            Err(_) => true,
        }
    }

    /// Whether a request has begun and not ended, and nothing is ready before it.
    pub fn is_half(&self) -> bool {
        self.len() > 0 && !self.is_ready()
    }

    /// How long the first request is, its length included; the length alone while that is unknown.
    pub fn first_bytes(&self) -> usize {
        self.total(self.first()).ok().flatten().unwrap_or(PREFIX_BYTES)
    }

    /// Copies what is left of a read out of its buffer, if the most of that is not needed any more: it may stay for
    /// as long as the client's earlier requests wait.
    pub fn unpin(&mut self) {
        if !self.rest.is_empty() && self.rest.len() < self.rest_buffer_bytes / 2 {
            self.rest = BytesMut::from(&self.rest[..]);
            self.rest_buffer_bytes = self.rest.capacity();
        }
    }

    /// The length of the first request of `bytes` with its prefix, once that is known.
    fn total(&self, bytes: &BytesMut) -> Result<Option<usize>, BadLength> {
        let Some(prefix) = bytes.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
        let declared = i32::from_be_bytes(*prefix);
        match usize::try_from(declared) {
            Ok(length) if length <= self.request_bytes_max => Ok(Some(PREFIX_BYTES + length)),
            _ => Err(BadLength { declared, most: self.request_bytes_max }),
        }
    }

    fn first(&self) -> &BytesMut {
        if self.head.is_empty() { &self.rest } else { &self.head }
    }

    /// Moves the missing bytes of the head, and no more, out of `bytes`.
    fn fill_head(&mut self, bytes: &mut BytesMut) {
        while !self.head.is_empty() && !bytes.is_empty() {
            // A bad length is refused by `take`, which comes before any further byte is let in.
            let Ok(total) = self.total(&self.head) else { return };
            let missing = total.unwrap_or(PREFIX_BYTES) - self.head.len();
            if missing == 0 {
                return;
            }
            let count = missing.min(bytes.len());
            reserve(&mut self.head, count, total.unwrap_or(PREFIX_BYTES));
            self.head.extend_from_slice(&bytes[..count]);
            bytes.advance(count);
        }
    }

    fn start_head(&mut self) {
        if !self.rest.is_empty() {
            let rest = std::mem::take(&mut self.rest);
            let total = self.total(&rest).ok().flatten().unwrap_or(PREFIX_BYTES);
            reserve(&mut self.head, rest.len(), total);
            self.head.extend_from_slice(&rest);
        }
    }
}

/// Makes room for `count` more bytes: for all that is missing if that is not far beyond what there is, so that
/// what is declared but never sent costs little, and only addresses: memory is taken by writing to it.
fn reserve(head: &mut BytesMut, count: usize, total: usize) {
    let arrived = head.len() + count;
    if arrived > head.capacity() {
        let wanted = total.min(HEAD_BYTES_MIN.max(HEAD_GROWTH * arrived)).max(arrived);
        // Growing in place would move all of the old memory, what nothing was written to as well.
        let mut longer = BytesMut::with_capacity(wanted);
        longer.extend_from_slice(head);
        *head = longer;
    }
}

fn whole(mut bytes: BytesMut) -> Whole {
    let buffer_bytes = bytes.capacity();
    bytes.advance(PREFIX_BYTES);
    (bytes, buffer_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::REQUEST_BYTES_MAX;
    use proptest::prelude::*;

    fn wire(requests: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for request in requests {
            bytes.extend_from_slice(&i32::try_from(request.len()).expect("small").to_be_bytes());
            bytes.extend_from_slice(request);
        }
        bytes
    }

    fn drain(stream: &mut Stream, into: &mut Vec<Vec<u8>>) {
        while let Some((request, buffer_bytes)) = stream.take().expect("lengths are good") {
            assert!(buffer_bytes >= request.len(), "a request lies inside its buffer");
            into.push(request.to_vec());
        }
    }

    proptest! {
        #[test]
        fn any_cut_yields_the_same_requests(
            requests in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..6000), 0..12),
            cuts in prop::collection::vec(1usize..9000, 1..40),
            is_lazy in prop::collection::vec(any::<bool>(), 40),
        ) {
            let bytes = wire(&requests);
            let mut stream = Stream::new(REQUEST_BYTES_MAX);
            let mut got = Vec::new();
            let mut at = 0;
            for (turn, cut) in cuts.iter().cycle().enumerate() {
                if at == bytes.len() {
                    break;
                }
                let end = bytes.len().min(at + cut);
                stream.arrive(BytesMut::from(&bytes[at..end]));
                at = end;
                // A link whose slots are used up is not drained every time.
                if !is_lazy[turn % is_lazy.len()] {
                    drain(&mut stream, &mut got);
                }
            }
            drain(&mut stream, &mut got);
            prop_assert_eq!(got, requests);
            prop_assert_eq!(stream.len(), 0);
        }
    }

    #[test]
    fn whole_requests_of_one_read_are_not_copied() {
        let bytes = BytesMut::from(&wire(&[vec![1; 100], vec![2; 200], vec![3; 300]])[..]);
        let buffer = bytes.as_ptr_range();
        let mut stream = Stream::new(REQUEST_BYTES_MAX);
        stream.arrive(bytes);
        for _ in 0..3 {
            let (request, _) = stream.take().expect("good").expect("whole");
            assert!(buffer.contains(&request.as_ptr()), "a slice of what arrived");
        }
    }

    #[test]
    fn what_waits_pins_no_buffer_of_others() {
        let mut stream = Stream::new(REQUEST_BYTES_MAX);
        stream.arrive(BytesMut::from(&wire(&[vec![1; 200_000], vec![2; 20]])[..]));
        drop(stream.take());
        stream.unpin();
        assert!(stream.rest.capacity() < 100, "{} bytes for 24", stream.rest.capacity());
        assert_eq!(stream.take().expect("good").expect("whole").0, [2; 20][..]);
    }

    #[test]
    fn a_declared_length_takes_no_memory_before_its_bytes_arrive() {
        let mut stream = Stream::new(REQUEST_BYTES_MAX);
        let declared = i32::try_from(REQUEST_BYTES_MAX).expect("fits");
        stream.arrive(BytesMut::from(&declared.to_be_bytes()[..]));
        assert_eq!(stream.take(), Ok(None));
        for arrived in 1..50_000 {
            stream.arrive(BytesMut::from(&[7][..]));
            assert!(stream.head.capacity() <= HEAD_BYTES_MIN.max(HEAD_GROWTH * (PREFIX_BYTES + arrived)));
        }
        assert_eq!((stream.is_half(), stream.first_bytes()), (true, PREFIX_BYTES + REQUEST_BYTES_MAX));
    }

    #[test]
    fn impossible_lengths_are_refused_as_soon_as_they_are_known() {
        for declared in [-1, i32::MIN, i32::MAX, i32::try_from(REQUEST_BYTES_MAX).expect("fits") + 1] {
            let mut stream = Stream::new(REQUEST_BYTES_MAX);
            for byte in declared.to_be_bytes() {
                assert_eq!(stream.take(), Ok(None));
                stream.arrive(BytesMut::from(&[byte][..]));
            }
            assert!(stream.is_ready());
            assert_eq!(stream.take(), Err(BadLength { declared, most: REQUEST_BYTES_MAX }));
        }
    }
}
