// Whether the OpenSSL that is loaded has the fixes of DTLS that encrypted calls rely on.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace vas::media {

// What is wrong with it, or nothing. `number`: OpenSSL_version_num() of the library that is loaded, not of
// the headers. `package`: the version of the package libssl3 where dpkg knows one.
//
// Before OpenSSL 3.0.23 one short datagram from anybody ends an association that is up (CVE-2026-75806), and
// records of epochs to come are kept without end (CVE-2026-54874); Debian has the fixes since
// 3.0.22-1~deb12u2. Of newer branches nothing is known to be wrong.
std::optional<std::string> fault_of_libssl(unsigned long number, const std::optional<std::string>& package);
// Of the one that this process has loaded.
std::optional<std::string> fault_of_libssl();

// dpkg's order of versions, without epochs: negative, 0 or positive. (deb-version(7))
int compare_debian_versions(std::string_view a, std::string_view b);

// Of a file in the form of /var/lib/dpkg/status.
std::optional<std::string> installed_version(const std::string& status_file, std::string_view package);

}  // namespace vas::media
