# sofia-sip: the parser behind every SIP byte that enters, and the transaction layer of the trunk. Its headers stay here.
lg_foreign(lg_sofia sofia-sip-ua)
lg_library(lg_net_sofia SOURCES sofia_codec.cc sofia_message.cc sofia_agent.cc sofia_agent_server.cc sofia_agent_client.cc
           sofia_source_filter.cc sofia_trunk.cc
           PUBLIC lg_sip_message PRIVATE lg_sofia Threads::Threads)
