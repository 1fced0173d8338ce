// Sarama. It is told the newest release that it knows: by default it behaves as for Kafka 2.1.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"interop/stage"
)

var brokers = strings.Split(os.Args[1], ",")

var codecs = map[string]sarama.CompressionCodec{
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func settings() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	return config
}

func administer(work func(admin sarama.ClusterAdmin) (any, error)) (any, error) {
	admin, err := sarama.NewClusterAdmin(brokers, settings())
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	return work(admin)
}

func create(words []string) (any, error) {
	return administer(func(admin sarama.ClusterAdmin) (any, error) {
		detail := &sarama.TopicDetail{
			NumPartitions: int32(stage.Int(words[1])), ReplicationFactor: int16(stage.Int(words[2])),
		}
		return nil, admin.CreateTopic(words[0], detail, false)
	})
}

func describe(words []string) (any, error) {
	return administer(func(admin sarama.ClusterAdmin) (any, error) {
		found, err := admin.DescribeTopics(words)
		if err != nil {
			return nil, err
		}
		if found[0].Err != sarama.ErrNoError {
			return nil, found[0].Err
		}
		return [2]int{len(found[0].Partitions), len(found[0].Partitions[0].Replicas)}, nil
	})
}

func produce(words []string) (any, error) {
	config := settings()
	config.Producer.Compression = codecs[words[1]]
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = words[2] == "idempotent"
	config.Producer.Retry.Max = 50
	config.Producer.Flush.Frequency = 20 * time.Millisecond
	config.Producer.Return.Successes = true
	// What keeps the order when something is sent again, and what idempotence demands.
	config.Net.MaxOpenRequests = 1
	producer, err := sarama.NewAsyncProducer(brokers, config)
	if err != nil {
		return nil, err
	}
	first, count, pause := stage.Int(words[3]), stage.Int(words[4]), stage.Int(words[5])
	go func() {
		for number := first; number < first+count; number++ {
			key, value := stage.Record(number)
			producer.Input() <- &sarama.ProducerMessage{
				Topic: words[0], Key: sarama.ByteEncoder(key), Value: sarama.ByteEncoder(value),
			}
			time.Sleep(time.Duration(pause) * time.Millisecond)
		}
	}()
	defer producer.AsyncClose()
	for range count {
		select {
		case <-producer.Successes():
		case failed := <-producer.Errors():
			return nil, failed.Err
		case <-time.After(stage.Patience):
			return nil, errors.New("it neither sends nor fails")
		}
	}
	return count, nil
}

// Reads all partitions from where `start` says.
func assigned(topic string, count int, start func(client sarama.Client, partition int32) (int64, error)) (any, error) {
	client, err := sarama.NewClient(brokers, settings())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partitions, err := consumer.Partitions(topic)
	if err != nil {
		return nil, err
	}
	messages := make(chan *sarama.ConsumerMessage)
	for _, partition := range partitions {
		offset, err := start(client, partition)
		if err != nil {
			return nil, err
		}
		reader, err := consumer.ConsumePartition(topic, partition, offset)
		if err != nil {
			return nil, err
		}
		defer reader.AsyncClose()
		go func() {
			for message := range reader.Messages() {
				messages <- message
			}
		}()
	}
	read, deadline := []stage.Seen{}, time.After(stage.Patience)
	for {
		if len(read) == count {
			deadline = time.After(200 * time.Millisecond)
		}
		select {
		case message := <-messages:
			read = append(read, stage.See(message.Partition, message.Offset, message.Key))
		case <-deadline:
			return read, nil
		}
	}
}

func consume(words []string) (any, error) {
	start := func(sarama.Client, int32) (int64, error) { return sarama.OffsetOldest, nil }
	return assigned(words[0], stage.Int(words[1]), start)
}

func since(words []string) (any, error) {
	millis, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return nil, err
	}
	start := func(client sarama.Client, partition int32) (int64, error) {
		offset, err := client.GetOffset(words[0], partition, millis)
		if offset < 0 {
			offset = sarama.OffsetNewest
		}
		return offset, err
	}
	return assigned(words[0], stage.Int(words[2]), start)
}

func configs(words []string) (any, error) {
	return administer(func(admin sarama.ClusterAdmin) (any, error) {
		entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: words[0]})
		found := map[string]string{}
		for _, entry := range entries {
			found[entry.Name] = entry.Value
		}
		return found, err
	})
}

func alter(words []string) (any, error) {
	return administer(func(admin sarama.ClusterAdmin) (any, error) {
		set := sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &words[2]}
		changes := map[string]sarama.IncrementalAlterConfigsEntry{words[1]: set}
		return nil, admin.IncrementalAlterConfig(sarama.TopicResource, words[0], changes, false)
	})
}

func remove(words []string) (any, error) {
	return administer(func(admin sarama.ClusterAdmin) (any, error) { return nil, admin.DeleteTopic(words[0]) })
}

// What a member does with a record. It says false when it wants no more.
type handler func(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage) bool

func (handler) Setup(sarama.ConsumerGroupSession) error   { return nil }
func (handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

func (handle handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case message, more := <-claim.Messages():
			if !more || !handle(session, message) {
				return nil
			}
		case <-session.Context().Done():
			return nil
		}
	}
}

// A member until `ctx` ends.
func member(ctx context.Context, group, topic string, handle handler) error {
	config := settings()
	config.Consumer.Group.Session.Timeout = 6 * time.Second
	config.Consumer.Group.Heartbeat.Interval = time.Second
	config.Consumer.Group.Rebalance.Retry.Max = 20
	// A commit goes over the connection on which a fetch waits for records, and waits with it.
	config.Consumer.MaxWaitTime = 50 * time.Millisecond
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	consumer, err := sarama.NewConsumerGroup(brokers, group, config)
	if err != nil {
		return err
	}
	for ctx.Err() == nil {
		// It returns at each rebalance, and with an error when the coordinator is gone.
		if err := consumer.Consume(ctx, []string{topic}, handle); err != nil {
			fmt.Fprintln(os.Stderr, "consume:", err)
			time.Sleep(200 * time.Millisecond)
		}
	}
	return consumer.Close()
}

func read(words []string) (any, error) {
	ctx, stop := context.WithTimeout(context.Background(), stage.Patience)
	defer stop()
	count, seen := stage.Int(words[2]), []stage.Seen{}
	turn := make(chan struct{}, 1)
	err := member(ctx, words[0], words[1], func(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage) bool {
		// Claims run beside each other.
		turn <- struct{}{}
		defer func() { <-turn }()
		if len(seen) == count {
			return false
		}
		seen = append(seen, stage.See(message.Partition, message.Offset, message.Key))
		session.MarkMessage(message, "")
		session.Commit()
		if len(seen) == count {
			stop()
		}
		return len(seen) < count
	})
	return seen, err
}

var stop context.CancelFunc

var left = make(chan error)

func join(words []string) (any, error) {
	var ctx context.Context
	ctx, stop = context.WithCancel(context.Background())
	go func() {
		left <- member(ctx, words[0], words[1], func(session sarama.ConsumerGroupSession, message *sarama.ConsumerMessage) bool {
			stage.SayRecord(message.Partition, message.Offset, message.Key)
			session.MarkMessage(message, "")
			session.Commit()
			return true
		})
	}()
	return nil, nil
}

func leave([]string) (any, error) {
	stop()
	return nil, <-left
}

func main() {
	stage.Serve(map[string]stage.Verb{
		"version":  func([]string) (any, error) { return stage.Version("github.com/IBM/sarama"), nil },
		"create":   create,
		"describe": describe,
		"produce":  produce,
		"consume":  consume,
		"since":    since,
		"read":     read,
		"configs":  configs,
		"alter":    alter,
		"delete":   remove,
		"member":   join,
		"leave":    leave,
	})
}
