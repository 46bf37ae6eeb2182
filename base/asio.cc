// Asio's own functions: BOOST_ASIO_SEPARATE_COMPILATION leaves them out of every other source.
#include <boost/asio/impl/src.hpp>
#include <boost/asio/ssl/impl/src.hpp>
