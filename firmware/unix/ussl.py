"""The seam for umqtt.simple 1.3, which calls ussl.wrap_socket(sock, **ssl_params); see run.py."""


def wrap_socket(sock, wrapper, server_hostname):
    return wrapper.wrap_socket(sock, server_hostname=server_hostname)
