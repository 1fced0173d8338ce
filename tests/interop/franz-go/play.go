// franz-go, with kadm for what an administrator does.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"interop/stage"
)

var seeds = kgo.SeedBrokers(strings.Split(os.Args[1], ",")...)

var codecs = map[string]kgo.CompressionCodec{
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func client(more ...kgo.Opt) *kgo.Client {
	made, err := kgo.NewClient(append([]kgo.Opt{seeds}, more...)...)
	if err != nil {
		panic(err)
	}
	return made
}

func administer(work func(ctx context.Context, admin *kadm.Client) (any, error)) (any, error) {
	ctx, cancel := context.WithTimeout(context.Background(), stage.Patience)
	defer cancel()
	admin := kadm.NewClient(client())
	defer admin.Close()
	return work(ctx, admin)
}

func create(words []string) (any, error) {
	return administer(func(ctx context.Context, admin *kadm.Client) (any, error) {
		partitions, replicas := int32(stage.Int(words[1])), int16(stage.Int(words[2]))
		made, err := admin.CreateTopic(ctx, partitions, replicas, nil, words[0])
		return nil, errors.Join(err, made.Err)
	})
}

func describe(words []string) (any, error) {
	return administer(func(ctx context.Context, admin *kadm.Client) (any, error) {
		topics, err := admin.ListTopics(ctx, words[0])
		if err != nil {
			return nil, err
		}
		found := topics[words[0]]
		return [2]int{len(found.Partitions), found.Partitions.NumReplicas()}, found.Err
	})
}

func produce(words []string) (any, error) {
	options := []kgo.Opt{kgo.DefaultProduceTopic(words[0]), kgo.ProducerBatchCompression(codecs[words[1]])}
	if words[2] == "plain" {
		options = append(options, kgo.DisableIdempotentWrite(), kgo.MaxProduceRequestsInflightPerBroker(1))
	}
	producer := client(options...)
	defer producer.Close()
	first, count, pause := stage.Int(words[3]), stage.Int(words[4]), stage.Int(words[5])
	failures := make(chan error, count)
	for number := first; number < first+count; number++ {
		key, value := stage.Record(number)
		producer.Produce(context.Background(), &kgo.Record{Key: key, Value: value},
			func(_ *kgo.Record, err error) { failures <- err })
		time.Sleep(time.Duration(pause) * time.Millisecond)
	}
	for range count {
		if err := <-failures; err != nil {
			return nil, err
		}
	}
	return count, nil
}

// Polls until `count` records were read, and a moment longer if more would be too many.
func poll(consumer *kgo.Client, count int, linger time.Duration, seen func(*kgo.Record) error) error {
	read, deadline := 0, time.Now().Add(stage.Patience)
	for read < count || linger > 0 {
		if read >= count {
			deadline = time.Now().Add(linger)
			linger = 0
		}
		ctx, cancel := context.WithDeadline(context.Background(), deadline)
		fetches := consumer.PollRecords(ctx, max(1, count-read))
		cancel()
		if err := fetches.Err0(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			return err
		}
		for _, record := range fetches.Records() {
			read++
			if err := seen(record); err != nil {
				return err
			}
		}
		if time.Now().After(deadline) {
			return nil
		}
	}
	return nil
}

func consume(consumer *kgo.Client, count int) (any, error) {
	defer consumer.Close()
	read := []stage.Seen{}
	err := poll(consumer, count, 200*time.Millisecond, func(record *kgo.Record) error {
		read = append(read, stage.See(record.Partition, record.Offset, record.Key))
		return nil
	})
	return read, err
}

func read(words []string) (any, error) {
	consumer := member(words[0], words[1], kgo.DisableAutoCommit())
	defer consumer.Close()
	seen := []stage.Seen{}
	err := poll(consumer, stage.Int(words[2]), 0, func(record *kgo.Record) error {
		seen = append(seen, stage.See(record.Partition, record.Offset, record.Key))
		return consumer.CommitRecords(context.Background(), record)
	})
	return seen, err
}

func configs(words []string) (any, error) {
	return administer(func(ctx context.Context, admin *kadm.Client) (any, error) {
		described, err := admin.DescribeTopicConfigs(ctx, words[0])
		if err != nil {
			return nil, err
		}
		found := map[string]string{}
		for _, config := range described[0].Configs {
			found[config.Key] = config.MaybeValue()
		}
		return found, described[0].Err
	})
}

func alter(words []string) (any, error) {
	return administer(func(ctx context.Context, admin *kadm.Client) (any, error) {
		set := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: words[1], Value: &words[2]}}
		done, err := admin.AlterTopicConfigs(ctx, set, words[0])
		if err == nil {
			err = done[0].Err
		}
		return nil, err
	})
}

func remove(words []string) (any, error) {
	return administer(func(ctx context.Context, admin *kadm.Client) (any, error) {
		done, err := admin.DeleteTopic(ctx, words[0])
		return nil, errors.Join(err, done.Err)
	})
}

func member(group, topic string, more ...kgo.Opt) *kgo.Client {
	options := []kgo.Opt{
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6 * time.Second), kgo.HeartbeatInterval(time.Second),
		kgo.FetchMaxWait(500 * time.Millisecond),
	}
	if os.Args[2] == "consumer" {
		options = append(options, kgo.ServerSideBalancer(), kgo.Balancers(kgo.RangeBalancer()))
	}
	return client(append(options, more...)...)
}

// A member until it is to leave: each poll's records are said, and committed before the next poll.
type shared struct {
	consumer *kgo.Client
	stop     context.CancelFunc
	done     chan struct{}
}

var present *shared

func join(words []string) (any, error) {
	ctx, stop := context.WithCancel(context.Background())
	present = &shared{member(words[0], words[1], kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll()), stop, make(chan struct{})}
	go func() {
		defer close(present.done)
		for ctx.Err() == nil {
			fetches := present.consumer.PollRecords(ctx, 50)
			for _, record := range fetches.Records() {
				stage.SayRecord(record.Partition, record.Offset, record.Key)
			}
			if err := present.consumer.CommitUncommittedOffsets(context.Background()); err != nil {
				fmt.Fprintln(os.Stderr, "commit:", err)
			}
			present.consumer.AllowRebalance()
		}
	}()
	return nil, nil
}

func leave([]string) (any, error) {
	present.stop()
	<-present.done
	present.consumer.CloseAllowingRebalance()
	return nil, nil
}

func main() {
	stage.Serve(map[string]stage.Verb{
		"version":  func([]string) (any, error) { return stage.Version("github.com/twmb/franz-go"), nil },
		"create":   create,
		"describe": describe,
		"produce":  produce,
		"consume": func(words []string) (any, error) {
			start := kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())
			return consume(client(kgo.ConsumeTopics(words[0]), start), stage.Int(words[1]))
		},
		"since": func(words []string) (any, error) {
			millis, err := strconv.ParseInt(words[1], 10, 64)
			if err != nil {
				return nil, err
			}
			start := kgo.ConsumeResetOffset(kgo.NewOffset().AfterMilli(millis))
			return consume(client(kgo.ConsumeTopics(words[0]), start), stage.Int(words[2]))
		},
		"read":    read,
		"configs": configs,
		"alter":   alter,
		"delete":  remove,
		"member":  join,
		"leave":   leave,
	})
}
