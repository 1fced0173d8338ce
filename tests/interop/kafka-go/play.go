// kafka-go of Segment: its Writer and Reader, and its Client for what an administrator does.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"interop/stage"
)

var brokers = strings.Split(os.Args[1], ",")

// A transport believes for six seconds that a topic is not there which it has not seen: so each verb has its own.
func client() *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(brokers...), Timeout: 20 * time.Second, Transport: &kafka.Transport{}}
}

var codecs = map[string]kafka.Compression{
	"none": 0, "gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
}

func create(words []string) (any, error) {
	topic := kafka.TopicConfig{
		Topic: words[0], NumPartitions: stage.Int(words[1]), ReplicationFactor: stage.Int(words[2]),
	}
	answer, err := client().CreateTopics(context.Background(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{topic}})
	if err == nil {
		err = answer.Errors[words[0]]
	}
	return nil, err
}

func partitions(topic string) ([]kafka.Partition, error) {
	answer, err := client().Metadata(context.Background(), &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return nil, err
	}
	return answer.Topics[0].Partitions, answer.Topics[0].Error
}

func describe(words []string) (any, error) {
	found, err := partitions(words[0])
	if err != nil {
		return nil, err
	}
	return [2]int{len(found), len(found[0].Replicas)}, nil
}

func produce(words []string) (any, error) {
	if words[2] == "idempotent" {
		return nil, fmt.Errorf("its Writer has no idempotence: %w", stage.ErrNotOffered)
	}
	failures := make(chan error, 1)
	writer := &kafka.Writer{
		Addr: kafka.TCP(brokers...), Topic: words[0], Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
		Compression: codecs[words[1]], BatchTimeout: 20 * time.Millisecond, MaxAttempts: 30, Async: true,
		Transport: &kafka.Transport{},
		Completion: func(_ []kafka.Message, err error) {
			if err != nil {
				select {
				case failures <- err:
				default:
				}
			}
		},
	}
	first, count, pause := stage.Int(words[3]), stage.Int(words[4]), stage.Int(words[5])
	for number := first; number < first+count; number++ {
		key, value := stage.Record(number)
		if err := writer.WriteMessages(context.Background(), kafka.Message{Key: key, Value: value}); err != nil {
			return nil, err
		}
		time.Sleep(time.Duration(pause) * time.Millisecond)
	}
	// It waits for all that is on its way.
	if err := writer.Close(); err != nil {
		return nil, err
	}
	select {
	case err := <-failures:
		return nil, err
	default:
		return count, nil
	}
}

// Reads all partitions, a Reader each, from where `start` puts it.
func assigned(topic string, count int, start func(ctx context.Context, reader *kafka.Reader) error) (any, error) {
	found, err := partitions(topic)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(context.Background(), stage.Patience)
	defer stop()
	messages, failures := make(chan kafka.Message), make(chan error, len(found))
	for _, partition := range found {
		reader := kafka.NewReader(kafka.ReaderConfig{
			Brokers: brokers, Topic: topic, Partition: partition.ID, MaxWait: 200 * time.Millisecond,
		})
		defer reader.Close()
		if err := start(ctx, reader); err != nil {
			return nil, err
		}
		go func() {
			for {
				message, err := reader.ReadMessage(ctx)
				if err != nil {
					failures <- err
					return
				}
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
			read = append(read, stage.See(int32(message.Partition), message.Offset, message.Key))
		case err := <-failures:
			return nil, err
		case <-deadline:
			return read, nil
		}
	}
}

func consume(words []string) (any, error) {
	return assigned(words[0], stage.Int(words[1]), func(_ context.Context, reader *kafka.Reader) error {
		return reader.SetOffset(kafka.FirstOffset)
	})
}

func since(words []string) (any, error) {
	millis, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil {
		return nil, err
	}
	return assigned(words[0], stage.Int(words[2]), func(ctx context.Context, reader *kafka.Reader) error {
		return reader.SetOffsetAt(ctx, time.UnixMilli(millis))
	})
}

func member(group, topic string) *kafka.Reader {
	return kafka.NewReader(kafka.ReaderConfig{
		Brokers: brokers, GroupID: group, Topic: topic, StartOffset: kafka.FirstOffset,
		SessionTimeout: 6 * time.Second, HeartbeatInterval: time.Second, RebalanceTimeout: 10 * time.Second,
		MaxWait: 500 * time.Millisecond,
	})
}

func read(words []string) (any, error) {
	ctx, stop := context.WithTimeout(context.Background(), stage.Patience)
	defer stop()
	reader := member(words[0], words[1])
	defer reader.Close()
	seen := []stage.Seen{}
	for len(seen) < stage.Int(words[2]) {
		message, err := reader.FetchMessage(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			return seen, nil
		}
		if err == nil {
			seen = append(seen, stage.See(int32(message.Partition), message.Offset, message.Key))
			err = reader.CommitMessages(ctx, message)
		}
		if err != nil {
			return nil, err
		}
	}
	return seen, nil
}

func configs(words []string) (any, error) {
	asked := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: words[0]}
	answer, err := client().DescribeConfigs(context.Background(), &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{asked},
	})
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, entry := range answer.Resources[0].ConfigEntries {
		found[entry.ConfigName] = entry.ConfigValue
	}
	return found, answer.Resources[0].Error
}

func alter(words []string) (any, error) {
	asked := kafka.IncrementalAlterConfigsRequestResource{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: words[0],
		Configs: []kafka.IncrementalAlterConfigsRequestConfig{{
			Name: words[1], Value: words[2], ConfigOperation: kafka.ConfigOperationSet,
		}},
	}
	answer, err := client().IncrementalAlterConfigs(context.Background(), &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{asked},
	})
	if err == nil {
		err = answer.Resources[0].Error
	}
	return nil, err
}

func remove(words []string) (any, error) {
	answer, err := client().DeleteTopics(context.Background(), &kafka.DeleteTopicsRequest{Topics: words})
	if err == nil {
		err = answer.Errors[words[0]]
	}
	return nil, err
}

var stop context.CancelFunc

var left = make(chan error)

func join(words []string) (any, error) {
	var ctx context.Context
	ctx, stop = context.WithCancel(context.Background())
	reader := member(words[0], words[1])
	go func() {
		for ctx.Err() == nil {
			message, err := reader.FetchMessage(ctx)
			if err == nil {
				stage.SayRecord(int32(message.Partition), message.Offset, message.Key)
				err = reader.CommitMessages(context.Background(), message)
			}
			if err != nil && ctx.Err() == nil {
				fmt.Fprintln(os.Stderr, "member:", err)
			}
		}
		left <- reader.Close()
	}()
	return nil, nil
}

func leave([]string) (any, error) {
	stop()
	return nil, <-left
}

func main() {
	stage.Serve(map[string]stage.Verb{
		"version":  func([]string) (any, error) { return stage.Version("github.com/segmentio/kafka-go"), nil },
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
