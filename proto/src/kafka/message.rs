//! A whole message: header and body, in both directions.
//!
//! A request starts with eight bytes that every version shares ([`RequestStart`]); a broker that does not
//! know the key or the version can stop there, and answer a too new ApiVersions in its oldest form without
//! looking at the rest.
//!
//! ```text
//! request  v1  key i16, version i16, correlation i32, client id string
//!          v2  the same, then tagged fields; the client id keeps its old spelling (KIP-482)
//! response v0  correlation i32            v1  the same, then tagged fields
//! ```
//! A body of a version that is not served is refused when read, and a bug of ours when written.

use super::error::WireError;
use super::reader::Reader;
use super::schema::Api;
use super::wire::Wire;
use super::writer::Writer;

/// What is kept of a client's name for itself (bytes; chosen: it goes into logs and metrics only).
pub const CLIENT_ID_BYTES_MAX: usize = 256;

/// A request's body.
pub trait Request: Wire {
    /// Its row in the API table.
    const API: &'static Api;
    /// What answers it.
    type Response: Response;

    /// Reads a whole body of that version. Bytes behind it are left where they are, as Kafka leaves them:
    /// librdkafka 2.x writes the null list of Metadata 9 and later in four bytes instead of one.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, WireError> {
        read_body(Self::API, reader, version)
    }

    /// Writes the body in that version.
    fn encode(&self, writer: &mut Writer, version: i16) {
        write_body(self, Self::API, writer, version);
    }
}

/// A response's body.
pub trait Response: Wire {
    /// Its row in the API table.
    const API: &'static Api;

    /// Reads a whole body of that version.
    fn decode(reader: &mut Reader, version: i16) -> Result<Self, WireError> {
        let body = read_body(Self::API, reader, version)?;
        reader.finish()?;
        Ok(body)
    }

    /// Writes the body in that version.
    fn encode(&self, writer: &mut Writer, version: i16) {
        write_body(self, Self::API, writer, version);
    }
}

/// The part of a request that can be read without knowing its API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestStart {
    /// Which API; unchecked.
    pub api_key: i16,
    /// Which version of it; unchecked.
    pub api_version: i16,
    /// Returned with the answer.
    pub correlation_id: i32,
}

impl RequestStart {
    /// Reads the first eight bytes.
    pub fn read(reader: &mut Reader) -> Result<RequestStart, WireError> {
        Ok(RequestStart {
            api_key: i16::from_be_bytes(reader.array()?),
            api_version: i16::from_be_bytes(reader.array()?),
            correlation_id: i32::from_be_bytes(reader.array()?),
        })
    }

    /// Reads the rest of the header, up to the body: the client's name for itself. Nothing depends on it, so
    /// one that is no UTF-8 is mended, and a long one cut to [`CLIENT_ID_BYTES_MAX`].
    pub fn read_client_id(&self, reader: &mut Reader, api: &Api) -> Result<Option<String>, WireError> {
        let client_id = match reader.string_length(false)? {
            None => None,
            Some(length) => {
                reader.charge(length.min(CLIENT_ID_BYTES_MAX))?;
                Some(mended(reader.slice(length)?))
            }
        };
        if api.request_header_version(self.api_version) >= 2 {
            reader.skip_tags()?;
        }
        Ok(client_id)
    }
}

/// A whole request with its length.
pub fn write_request<R: Request>(
    writer: &mut Writer,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
    body: &R,
) {
    writer.message(|writer| {
        writer.bytes(&R::API.key.to_be_bytes());
        writer.bytes(&version.to_be_bytes());
        writer.bytes(&correlation_id.to_be_bytes());
        writer.text(false, client_id);
        if R::API.request_header_version(version) >= 2 {
            writer.open_tags();
        }
        body.encode(writer, version);
    });
}

/// A whole response with its length.
pub fn write_response<R: Response>(writer: &mut Writer, version: i16, correlation_id: i32, body: &R) {
    writer.message(|writer| {
        writer.bytes(&correlation_id.to_be_bytes());
        if R::API.response_header_version(version) >= 1 {
            writer.open_tags();
        }
        body.encode(writer, version);
    });
}

/// The header of a response to a request of that API and version: the correlation id.
pub fn read_response_start(reader: &mut Reader, api: &Api, version: i16) -> Result<i32, WireError> {
    let correlation_id = i32::from_be_bytes(reader.array()?);
    if api.response_header_version(version) >= 1 {
        reader.skip_tags()?;
    }
    Ok(correlation_id)
}

fn read_body<B: Wire>(api: &Api, reader: &mut Reader, version: i16) -> Result<B, WireError> {
    if !api.versions.contains(version) {
        return Err(WireError::UnsupportedVersion { key: api.key, version });
    }
    B::read(reader, api.version(version))
}

fn write_body<B: Wire>(body: &B, api: &Api, writer: &mut Writer, version: i16) {
    assert!(
        api.versions.contains(version),
        "only versions that are served are written: {} {version}",
        api.name
    );
    body.write(writer, api.version(version));
}

/// Bytes as text of at most [`CLIENT_ID_BYTES_MAX`] bytes.
fn mended(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text[..text.floor_char_boundary(CLIENT_ID_BYTES_MAX)].to_owned(),
        Err(_) => {
            let mut text =
                String::from_utf8_lossy(&bytes[..bytes.len().min(CLIENT_ID_BYTES_MAX)]).into_owned();
            text.truncate(text.floor_char_boundary(CLIENT_ID_BYTES_MAX));
            text
        }
    }
}
