-- One database for each service, and a login of its own that can enter no other: no service can read another's tables.
-- Run by psql as a superuser, once; the password is that of the environment's POSTGRES_PASSWORD for all of them.
-- CREATEROLE: a service's login owns the tables and makes the two roles that the service works as, which own nothing.
\getenv password POSTGRES_PASSWORD
CREATE ROLE profiles LOGIN CREATEROLE PASSWORD :'password';
CREATE ROLE feedback LOGIN CREATEROLE PASSWORD :'password';
CREATE ROLE personalisation LOGIN CREATEROLE PASSWORD :'password';
CREATE ROLE metrics LOGIN CREATEROLE PASSWORD :'password';
CREATE ROLE gateway LOGIN CREATEROLE PASSWORD :'password';
CREATE DATABASE profiles OWNER profiles;
CREATE DATABASE feedback OWNER feedback;
CREATE DATABASE personalisation OWNER personalisation;
CREATE DATABASE metrics OWNER metrics;
CREATE DATABASE gateway OWNER gateway;
REVOKE CONNECT ON DATABASE profiles, feedback, personalisation, metrics, gateway FROM PUBLIC;
