/* SPDX-License-Identifier: Apache-2.0 */
/** `i`: a sample of the load as one record, and as a table where a person asked. */
#include "parley_core_private.h"

#include <string.h>

enum { ROW_ROOM = 128, TAIL = 24, NAME_ROOM = 48 };

typedef struct {
  uint8_t at[PARLEY_TASKS_MAX];
  size_t count;
} order_t;

static order_t busiest_first(const parley_load_t *load) {
  order_t order = {.count = load->task_count < PARLEY_TASKS_MAX ? load->task_count : PARLEY_TASKS_MAX};
  for (size_t i = 0; i < order.count; i++) {
    size_t place = i;
    while (place > 0 && load->tasks[order.at[place - 1]].cpu_permille < load->tasks[i].cpu_permille) {
      order.at[place] = order.at[place - 1];
      place--;
    }
    order.at[place] = (uint8_t)i;
  }
  return order;
}

static int64_t permille(uint16_t value) {
  return value > 1000 ? 1000 : value; /* the counters of a sample are not read at one instant */
}

static parley_chars_t name_of(const parley_task_load_t *task) {
  size_t length = 0;
  while (length < sizeof task->name && task->name[length] != '\0') {
    length++;
  }
  return parley_chars_of((parley_text_t){task->name, length});
}

static void record_heap(parley_core_t *core, const char *key, const parley_heap_t *heap) {
  parley_writer_t *writer = &core->out.writer;
  parley_record_key(core, key);
  parley_put(writer, "{\"free\":");
  parley_put_number(writer, heap->free);
  parley_put(writer, ",\"min\":");
  parley_put_number(writer, heap->min_free);
  parley_put(writer, ",\"largest\":");
  parley_put_number(writer, heap->largest);
  parley_put(writer, "}");
}

static void put_row(parley_writer_t *writer, const parley_task_load_t *task) {
  parley_chars_t name = name_of(task);
  parley_put(writer, "[\"");
  (void)parley_put_chars(writer, &name, PARLEY_AS_JSON, NULL, writer->length + NAME_ROOM);
  parley_put(writer, "\",");
  parley_put_number(writer, task->core);
  parley_put(writer, ",");
  parley_put_number(writer, permille(task->cpu_permille));
  parley_put(writer, ",");
  parley_put_number(writer, task->stack_left);
  parley_put(writer, ",");
  parley_put_number(writer, task->priority);
  parley_put(writer, "]");
}

static void record_tasks(parley_core_t *core, const parley_load_t *load, const order_t *order) {
  parley_writer_t *writer = &core->out.writer;
  size_t i = 0;
  parley_record_key(core, "tasks");
  parley_put(writer, "[");
  for (; i < order->count && writer->room - writer->length > ROW_ROOM + TAIL; i++) {
    parley_put(writer, i > 0 ? "," : "");
    put_row(writer, &load->tasks[order->at[i]]);
  }
  parley_put(writer, "]");
  parley_record_number(core, "more", (int64_t)(load->task_count - i));
}

static void put_cpu(parley_writer_t *writer, const parley_load_t *load) {
  size_t count = load->core_count < PARLEY_CORES_MAX ? load->core_count : PARLEY_CORES_MAX;
  for (size_t i = 0; i < count; i++) {
    parley_put(writer, i > 0 ? "," : "");
    parley_put_number(writer, permille(load->cpu_permille[i]));
  }
}

static void print_row(parley_core_t *core, const parley_task_load_t *task) {
  static const char *const titles[] = {"Core", "Per", "HWM", "Prio"};
  static const size_t columns[] = {20, 28, 36, 46};
  const int64_t values[] = {task == NULL ? 0 : task->core, task == NULL ? 0 : task->cpu_permille / 10,
                            task == NULL ? 0 : task->stack_left, task == NULL ? 0 : task->priority};
  parley_writer_t *line = parley_log_begin(core, 'I');
  size_t start = line->length;
  parley_log_chars(core, task == NULL ? parley_chars("Task") : name_of(task));
  for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
    parley_put_spaces(line, start + columns[i]);
    parley_put(line, "| ");
    if (task == NULL) {
      parley_put(line, titles[i]);
    } else {
      parley_put_number(line, values[i]);
      parley_put(line, i == 1 ? "%" : "");
    }
  }
  parley_log_end(core);
}

static void print_table(parley_core_t *core, const parley_load_t *load, const order_t *order) {
  parley_writer_t *line = parley_log_begin(core, 'I');
  parley_put(line, "CPU ");
  put_cpu(line, load);
  parley_put(line, " permille, heap ");
  parley_put_number(line, load->heap.free);
  parley_put(line, ", PSRAM ");
  parley_put_number(line, load->psram.free);
  parley_put(line, " bytes free, Wi-Fi ");
  parley_put_number(line, load->rssi_dbm);
  parley_put(line, " dBm");
  parley_log_end(core);
  print_row(core, NULL);
  for (size_t i = 0; i < order->count; i++) {
    print_row(core, &load->tasks[order->at[i]]);
  }
}

void parley_load_tell(parley_core_t *core, const parley_load_t *load) {
  order_t order = busiest_first(load);
  parley_record_begin(core, "load");
  parley_record_key(core, "cpu");
  parley_put(&core->out.writer, "[");
  put_cpu(&core->out.writer, load);
  parley_put(&core->out.writer, "]");
  record_heap(core, "heap", &load->heap);
  record_heap(core, "psram", &load->psram);
  parley_record_number(core, "rssi", load->rssi_dbm);
  record_tasks(core, load, &order);
  parley_record_end(core);
  if (core->stream.for_people) {
    print_table(core, load, &order);
  }
}

void parley_load_ask(parley_core_t *core, int64_t every_s, bool for_people) {
  parley_stream_t *stream = &core->stream;
  if (every_s >= 0) {
    stream->every_ms = (uint64_t)every_s * 1000;
    stream->due_ms = every_s == 0 ? PARLEY_NEVER : core->now_ms + stream->every_ms;
  }
  stream->for_people = for_people;
  if (every_s != 0) {
    core->port->load_sample(core->port->ctx);
  }
}

void parley_load_tick(parley_core_t *core) {
  parley_stream_t *stream = &core->stream;
  if (core->now_ms < stream->due_ms) {
    return;
  }
  /* From now, not from when it was due: a core that comes late must not catch up with a burst. */
  stream->due_ms = core->now_ms + stream->every_ms;
  core->port->load_sample(core->port->ctx);
}
