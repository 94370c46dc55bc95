// A program that waits for a change of a job: answered at once where there is one, by Followers
// otherwise (docs/ganeti.md, "Remote API"). Any thread.
#pragma once

#include "net/http.h"
#include "rapi/remote_call.h"
#include "rapi/services.h"

namespace flotte::rapi {

// So long nobody waits for an answer.
inline constexpr std::chrono::seconds job_wait_max{10};

// The body says which fields of the job and how much of its log the caller knows. It is answered
// {"job_info": […], "log_entries": […]} where something differs or the job has ended, and null when
// nothing did in time.
Granted<void> wait_for_job(Services const& services, RemoteCall const& call,
                           net::Responder& responder);

}  // namespace flotte::rapi
