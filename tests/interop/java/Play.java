// Apache Kafka's own client for Java. One program for all its versions: what it calls is in each of them.

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public final class Play {
    private static final long PATIENCE_MS = 40_000;

    private final String bootstrap;
    private final String protocol;
    private Member member;

    private Play(String bootstrap, String protocol) {
        this.bootstrap = bootstrap;
        this.protocol = protocol;
    }

    /** Is told something by a line of words, and answers by a line of JSON: tests/src/interop/mod.rs. */
    public static void main(String[] arguments) throws Exception {
        Play play = new Play(arguments[0], arguments[1]);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                say("{\"ok\":true,\"data\":" + play.does(line.split(" ")) + "}");
            } catch (Exception error) {
                Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
                say("{\"ok\":false,\"why\":" + quoted(String.valueOf(cause)) + "}");
            }
            if (line.equals("leave")) {
                System.exit(0);
            }
        }
        System.exit(0);
    }

    private String does(String[] words) throws Exception {
        switch (words[0]) {
            case "version": return quoted(version());
            case "create": return create(words[1], Integer.parseInt(words[2]), Short.parseShort(words[3]));
            case "describe": return describe(words[1]);
            case "produce": return produce(words);
            case "consume": return consume(words[1], 0, Integer.parseInt(words[2]));
            case "since": return consume(words[1], Long.parseLong(words[2]), Integer.parseInt(words[3]));
            case "read": return read(words[1], words[2], Integer.parseInt(words[3]));
            case "configs": return configs(words[1]);
            case "alter": return alter(words[1], words[2], words[3]);
            case "delete": return delete(words[1]);
            case "member":
                member = new Member(group(words[1]), words[2]);
                member.start();
                return "null";
            case "leave":
                member.leave();
                return "null";
            default: throw new IllegalArgumentException("there is no " + words[0]);
        }
    }

    private static String version() throws Exception {
        Properties found = new Properties();
        try (var stream = KafkaConsumer.class.getResourceAsStream("/kafka/kafka-version.properties")) {
            found.load(stream);
        }
        return found.getProperty("version");
    }

    private String create(String topic, int partitions, short replicas) throws Exception {
        try (Admin admin = admin()) {
            admin.createTopics(List.of(new NewTopic(topic, partitions, replicas))).all().get();
            return "null";
        }
    }

    private String describe(String topic) throws Exception {
        try (Admin admin = admin()) {
            var found = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions();
            return "[" + found.size() + "," + found.get(0).replicas().size() + "]";
        }
    }

    private String produce(String[] words) throws Exception {
        Properties properties = properties();
        properties.put("compression.type", words[2]);
        properties.put("enable.idempotence", words[3].equals("idempotent") ? "true" : "false");
        properties.put("acks", "all");
        if (words[3].equals("plain")) {
            properties.put("max.in.flight.requests.per.connection", "1");
        }
        int first = Integer.parseInt(words[4]);
        int count = Integer.parseInt(words[5]);
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        try (var producer = new KafkaProducer<>(properties, new StringSerializer(), new StringSerializer())) {
            for (int number = first; number < first + count; number++) {
                // Long and alike, so that compressing it is worth it.
                String value = number + " " + "and so on ".repeat(20);
                sent.add(producer.send(new ProducerRecord<>(words[1], String.valueOf(number), value)));
                Thread.sleep(Integer.parseInt(words[6]));
            }
            producer.flush();
            for (Future<RecordMetadata> one : sent) {
                one.get();
            }
        }
        return String.valueOf(count);
    }

    private String consume(String topic, long since, int count) {
        List<String> read = new ArrayList<>();
        try (var consumer = consumer(properties())) {
            Map<TopicPartition, Long> times = new HashMap<>();
            consumer.partitionsFor(topic).forEach(
                known -> times.put(new TopicPartition(topic, known.partition()), since));
            consumer.assign(times.keySet());
            if (since == 0) {
                consumer.seekToBeginning(times.keySet());
            } else {
                var ends = consumer.endOffsets(times.keySet());
                consumer.offsetsForTimes(times).forEach((partition, found) ->
                    consumer.seek(partition, found == null ? ends.get(partition) : found.offset()));
            }
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            while (read.size() < count && System.currentTimeMillis() < deadline) {
                consumer.poll(Duration.ofMillis(200)).forEach(record -> read.add(seen(record)));
            }
            // What is too much would come now.
            consumer.poll(Duration.ofMillis(200)).forEach(record -> read.add(seen(record)));
        }
        return read.toString();
    }

    private String read(String group, String topic, int count) {
        Properties properties = group(group);
        properties.put("max.poll.records", String.valueOf(Math.min(count, 50)));
        List<String> read = new ArrayList<>();
        try (var consumer = consumer(properties)) {
            consumer.subscribe(List.of(topic));
            long deadline = System.currentTimeMillis() + PATIENCE_MS;
            while (read.size() < count && System.currentTimeMillis() < deadline) {
                for (ConsumerRecord<String, String> record : consumer.poll(Duration.ofMillis(200))) {
                    if (read.size() < count) {
                        read.add(seen(record));
                        var partition = new TopicPartition(topic, record.partition());
                        consumer.commitSync(Map.of(partition, new OffsetAndMetadata(record.offset() + 1)));
                    }
                }
            }
        }
        return read.toString();
    }

    private String configs(String topic) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        List<String> found = new ArrayList<>();
        try (Admin admin = admin()) {
            for (ConfigEntry entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
                found.add(quoted(entry.name()) + ":" + quoted(String.valueOf(entry.value())));
            }
        }
        return "{" + String.join(",", found) + "}";
    }

    private String alter(String topic, String key, String value) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        AlterConfigOp set = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
        Map<ConfigResource, Collection<AlterConfigOp>> wanted = Map.of(resource, List.of(set));
        try (Admin admin = admin()) {
            admin.incrementalAlterConfigs(wanted).all().get();
            return "null";
        }
    }

    private String delete(String topic) throws Exception {
        try (Admin admin = admin()) {
            admin.deleteTopics(List.of(topic)).all().get();
            return "null";
        }
    }

    private Properties properties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        return properties;
    }

    private Properties group(String group) {
        Properties properties = properties();
        properties.put("group.id", group);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        if (protocol.equals("consumer")) {
            properties.put("group.protocol", "consumer");
        } else {
            properties.put("session.timeout.ms", "6000");
            properties.put("heartbeat.interval.ms", "1000");
        }
        return properties;
    }

    private Admin admin() {
        return Admin.create(properties());
    }

    private static KafkaConsumer<String, String> consumer(Properties properties) {
        return new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer());
    }

    private static String seen(ConsumerRecord<String, String> record) {
        return Arrays.asList(record.partition(), record.offset(), record.key()).toString();
    }

    private static synchronized void say(String line) {
        System.out.println(line);
    }

    private static String quoted(String text) {
        return "\"" + text.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", " ") + "\"";
    }

    /** A member until it is to leave: each poll's records are said, and committed before the next poll. */
    private static final class Member extends Thread {
        private final KafkaConsumer<String, String> consumer;

        Member(Properties properties, String topic) {
            consumer = consumer(properties);
            consumer.subscribe(List.of(topic));
        }

        @Override
        public void run() {
            try (consumer) {
                while (true) {
                    consumer.poll(Duration.ofMillis(200)).forEach(
                        record -> say("{\"record\":" + seen(record) + "}"));
                    try {
                        consumer.commitSync();
                    } catch (WakeupException leaving) {
                        throw leaving;
                    } catch (RuntimeException error) {
                        // Of a rebalance: what was not committed comes again.
                        System.err.println("commit: " + error);
                    }
                }
            } catch (WakeupException leaving) {
                // It is closed, which says goodbye.
            }
        }

        void leave() throws InterruptedException {
            consumer.wakeup();
            join();
        }
    }
}
