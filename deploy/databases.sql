-- One database for each service: no service can read another's tables.
CREATE DATABASE profiles;
CREATE DATABASE feedback;
CREATE DATABASE personalisation;
CREATE DATABASE metrics;
CREATE DATABASE gateway;
