// Times as text.
#ifndef CORE_TIME_TEXT_H_
#define CORE_TIME_TEXT_H_

#include <chrono>
#include <string>

namespace tower {

// "2024-05-01T09:30:00.000Z" (RFC 3339), for years from 0 to 9999.
std::string TimeText(std::chrono::sys_time<std::chrono::milliseconds> time);

}  // namespace tower

#endif  // CORE_TIME_TEXT_H_
