//! The grammar in which an API is described, and what is generated from it: structs, and their `Wire`.
//!
//! ```text
//! api! {
//!     Produce = 0, ProduceRequest -> ProduceResponse;
//!     versions 3-13, advertised from 0, flexible 9+;
//!
//!     /// Batches to append.
//!     struct ProduceRequest {
//!         transactional_id: Option<String>, 3+, default None;
//!         /// How many acknowledgments to wait for.
//!         acks: i16, 3+;
//!         topics: Option<Vec<Topic>>, 0+, nullable 1+;
//!         leader: LeaderIdAndEpoch, 10+, tag 0;
//!     }
//! }
//! ```
//! A field is: name, type (the table in `wire`), versions (`3+` or `3-12`; one version is `3-3`), then what
//! differs from the rule: `nullable` if an `Option` has its null only in some of the field's versions; `tag`
//! if it is a tagged field, in all its versions, declared in the order of the tags; `default` if it is not
//! zero or empty. As in Kafka, what can be null is *empty* by default unless the description says `None`.
//! An API without `flexible` has no flexible version.
//!
//! In a version that a field is not part of, reading leaves its default and writing passes over it. Kafka
//! refuses to write some such fields (not "ignorable"); we write answers, and an old client has to get one.
//!
//! The same as data: [`super::schema`].

/// Turns a description into its structs, their `Wire`, the request and the response, and the table's row.
macro_rules! api {
    (
        $name:ident = $key:literal, $request:ident -> $response:ident;
        versions $first:literal - $last:literal
            $(, advertised from $advertised:literal)? $(, flexible $flexible:literal +)?;
        $(
            $(#[$struct_meta:meta])*
            struct $struct:ident { $($body:tt)* }
        )+
    ) => {
        /// Kafka's number for the API.
        pub(super) const KEY: i16 = $key;

        #[doc = concat!("The row of ", stringify!($name), " in the API table.")]
        pub const API: $crate::kafka::schema::Api = $crate::kafka::schema::Api {
            name: stringify!($name),
            key: KEY,
            versions: $crate::kafka::schema::Versions::between($first, $last),
            advertised_from: $crate::kafka::grammar::given_or!($($advertised)? ; $first),
            flexible_from: $crate::kafka::grammar::given_or!($($flexible)? ; i16::MAX),
            request: $request::SCHEMA,
            response: $response::SCHEMA,
        };

        impl $crate::kafka::Request for $request {
            const API: &'static $crate::kafka::schema::Api = &API;
            type Response = $response;
        }

        impl $crate::kafka::Response for $response {
            const API: &'static $crate::kafka::schema::Api = &API;
        }

        $( $crate::kafka::grammar::shape! { $(#[$struct_meta])* struct $struct { $($body)* } } )+
    };
}

/// Turns the description of one struct into the struct and its `Wire`.
macro_rules! shape {
    (
        $(#[$struct_meta:meta])*
        struct $struct:ident {
            $(
                $(#[$meta:meta])*
                $field:ident : $type:ty, $min:literal $sign:tt $($max:literal)?
                    $(, nullable $null_min:literal $null_sign:tt $($null_max:literal)?)?
                    $(, tag $tag:literal)?
                    $(, default $default:expr)? ;
            )*
        }
    ) => {
        $(#[$struct_meta])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $struct {
            $(
                $(#[$meta])*
                #[doc = concat!(
                    "Versions ", $min, stringify!($sign), $($max,)?
                    $(", nullable ", $null_min, stringify!($null_sign), $($null_max,)?)?
                    $(", tag ", $tag,)? $(", default `", stringify!($default), "`",)? "."
                )]
                pub $field: $type,
            )*
        }

        impl $struct {
            /// The same as data.
            pub const SCHEMA: &'static $crate::kafka::schema::Schema =
                &$crate::kafka::schema::Schema { name: stringify!($struct), fields: Self::FIELDS };

            const FIELDS: &'static [$crate::kafka::schema::Field] = &[
                $( $crate::kafka::schema::Field {
                    name: stringify!($field),
                    kind: <$type as $crate::kafka::wire::Wire>::KIND,
                    versions: $crate::kafka::grammar::versions!($min $sign $($max)?),
                    nullable: $crate::kafka::grammar::given_or!(
                        $($crate::kafka::grammar::versions!($null_min $null_sign $($null_max)?))?;
                        if <$type as $crate::kafka::wire::Wire>::CAN_BE_NULL {
                            $crate::kafka::grammar::versions!($min $sign $($max)?)
                        } else {
                            $crate::kafka::schema::Versions::NONE
                        }
                    ),
                    tag: $crate::kafka::grammar::given_or!($(Some($tag))?; None),
                } ),*
            ];
        }

        impl Default for $struct {
            fn default() -> Self {
                Self {
                    $( $field: $crate::kafka::grammar::given_or!(
                        $($default)?; <$type as $crate::kafka::wire::Wire>::unset()
                    ) ),*
                }
            }
        }

        impl $crate::kafka::wire::MayBeNull for $struct {}

        impl $crate::kafka::wire::Wire for $struct {
            const KIND: &'static $crate::kafka::schema::Kind =
                &$crate::kafka::schema::Kind::Struct(Self::SCHEMA);

            fn unset() -> Self {
                Self::default()
            }

            fn bytes_min(at: $crate::kafka::schema::Version) -> usize {
                usize::from(at.is_flexible) $(
                    + if $crate::kafka::grammar::is_plain!($($tag)?)
                        && $crate::kafka::grammar::versions!($min $sign $($max)?).contains(at.number)
                    {
                        <$type as $crate::kafka::wire::Wire>::bytes_min(at)
                    } else {
                        0
                    }
                )*
            }

            fn read(
                reader: &mut $crate::kafka::Reader,
                at: $crate::kafka::schema::Version,
            ) -> Result<Self, $crate::kafka::WireError> {
                $(
                    let mut $field: $type = if $crate::kafka::grammar::is_plain!($($tag)?)
                        && $crate::kafka::grammar::versions!($min $sign $($max)?).contains(at.number)
                    {
                        $crate::kafka::grammar::read_field!(
                            $type, reader, at $(, $null_min $null_sign $($null_max)?)?
                        )
                    } else {
                        $crate::kafka::grammar::given_or!(
                            $($default)?; <$type as $crate::kafka::wire::Wire>::unset()
                        )
                    };
                )*
                if at.is_flexible {
                    let mut tags = reader.tags()?;
                    while let Some(tag) = tags.next(reader)? {
                        let mut is_known = false;
                        $(
                            if $crate::kafka::grammar::is_tag!(tag.number $(, $tag)?)
                                && $crate::kafka::grammar::versions!($min $sign $($max)?).contains(at.number)
                            {
                                is_known = true;
                                $field = $crate::kafka::grammar::read_field!(
                                    $type, reader, at $(, $null_min $null_sign $($null_max)?)?
                                );
                            }
                        )*
                        if !is_known {
                            reader.skip(tag.bytes)?;
                        }
                        tag.finish(reader)?;
                    }
                }
                Ok(Self { $($field),* })
            }

            fn write(&self, writer: &mut $crate::kafka::Writer, at: $crate::kafka::schema::Version) {
                $(
                    if $crate::kafka::grammar::is_plain!($($tag)?)
                        && $crate::kafka::grammar::versions!($min $sign $($max)?).contains(at.number)
                    {
                        $crate::kafka::grammar::write_field!(
                            &self.$field, writer, at $(, $null_min $null_sign $($null_max)?)?
                        );
                    }
                )*
                if at.is_flexible {
                    let section = writer.open_tags();
                    $(
                        if !$crate::kafka::grammar::is_plain!($($tag)?)
                            && $crate::kafka::grammar::versions!($min $sign $($max)?).contains(at.number)
                            && self.$field != $crate::kafka::grammar::given_or!(
                                $($default)?; <$type as $crate::kafka::wire::Wire>::unset()
                            )
                        {
                            writer.tag(section, $crate::kafka::grammar::given_or!($($tag)?; 0), |writer| {
                                $crate::kafka::grammar::write_field!(
                                    &self.$field, writer, at $(, $null_min $null_sign $($null_max)?)?
                                );
                            });
                        }
                    )*
                }
            }
        }
    };
}

/// `3+` or `3-12` as [`Versions`](super::schema::Versions).
macro_rules! versions {
    ($min:literal +) => {
        $crate::kafka::schema::Versions::from($min)
    };
    ($min:literal - $max:literal) => {
        $crate::kafka::schema::Versions::between($min, $max)
    };
}

/// The first if it is there, otherwise the second.
macro_rules! given_or {
    ($given:expr; $otherwise:expr) => {
        $given
    };
    (; $otherwise:expr) => {
        $otherwise
    };
}

/// Whether no tag is given.
macro_rules! is_plain {
    () => {
        true
    };
    ($tag:literal) => {
        false
    };
}

/// Whether that number is the field's tag.
macro_rules! is_tag {
    ($number:expr) => {
        false
    };
    ($number:expr, $tag:literal) => {
        $number == $tag
    };
}

/// Reads a field that exists in the version.
macro_rules! read_field {
    ($type:ty, $reader:ident, $at:ident) => {
        <$type as $crate::kafka::wire::Wire>::read($reader, $at)?
    };
    ($type:ty, $reader:ident, $at:ident, $($nullable:tt)+) => {
        if $crate::kafka::grammar::versions!($($nullable)+).contains($at.number) {
            <$type as $crate::kafka::wire::Wire>::read($reader, $at)?
        } else {
            <$type as $crate::kafka::wire::Nullable>::read_present($reader, $at)?
        }
    };
}

/// Writes a field that exists in the version.
macro_rules! write_field {
    ($field:expr, $writer:ident, $at:ident) => {
        $crate::kafka::wire::Wire::write($field, $writer, $at)
    };
    ($field:expr, $writer:ident, $at:ident, $($nullable:tt)+) => {
        if $crate::kafka::grammar::versions!($($nullable)+).contains($at.number) {
            $crate::kafka::wire::Wire::write($field, $writer, $at)
        } else {
            $crate::kafka::wire::Nullable::write_present($field, $writer, $at)
        }
    };
}

pub(crate) use {api, given_or, is_plain, is_tag, read_field, shape, versions, write_field};
