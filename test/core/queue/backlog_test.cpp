#include "core/queue/backlog.h"

#include <catch2/catch_test_macros.hpp>
#include <utility>

namespace tower {
namespace {

QueueRow Row(std::int64_t seq) {
  QueueRow row;
  row.trigger.seq = seq;
  row.position = seq * 100;
  return row;
}

std::vector<std::int64_t> SeqsOf(const std::vector<AcceptedTrigger>& taken) {
  std::vector<std::int64_t> seqs;
  for (const auto& each : taken) seqs.push_back(each.seq);
  return seqs;
}

}  // namespace

TEST_CASE("rows of a commit that only seemed to fail are read from the file, in their place",
          "[queue][backlog]") {
  Backlog backlog{QueueEnds()};
  backlog.Add(Row(1));
  backlog.SetEnd(1, 100);
  // 2 and 3 turned out to be in the file, once it was opened anew for 4.
  backlog.Add(Row(4));
  backlog.SetEnd(4, 400);
  CHECK(SeqsOf(backlog.Take(10)) == std::vector<std::int64_t>{1});
  REQUIRE(backlog.ready());
  CHECK(backlog.Take(10).empty());
  CHECK(backlog.read_seq() == 1);
  std::vector<QueueRow> read;
  for (std::int64_t seq = 2; seq <= 4; ++seq) read.push_back(Row(seq));
  CHECK(SeqsOf(backlog.RecordRead(std::move(read))) == std::vector<std::int64_t>{2, 3, 4});
  CHECK_FALSE(backlog.ready());
  // From here on in memory again.
  backlog.Add(Row(5));
  backlog.SetEnd(5, 500);
  CHECK(SeqsOf(backlog.Take(10)) == std::vector<std::int64_t>{5});
}

TEST_CASE("a redelivery that is added while others are read is not passed by", "[queue][backlog]") {
  Backlog backlog{QueueEnds()};
  backlog.AddRedeliveries({.count = 1}, 1);
  const auto upto = backlog.last_redelivery();
  backlog.AddRedeliveries({.count = 1}, 2);
  CHECK(backlog.RecordRedeliveries({}, upto).empty());
  CHECK(backlog.has_redeliveries());
  CHECK(backlog.redelivery_read() == 1);
}

}  // namespace tower
